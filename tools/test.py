"""Evaluates a checkpoint, with a distillation config or a plain one.

The teacher is never built: a distillation config is reduced to its student.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

import mmmgd.compat  # noqa: F401  # isort: skip  (first: repairs mmseg::)

from _common import (
    build_runner,
    fail,
    load_config,
    parse_args,
    require_file,
)
from _group import leave_group
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import METRICS
from mmengine.runner import Runner

from mmmgd.checkpoints.atomic import write_json
from mmmgd.checkpoints.fit import load_fitting
from mmmgd.checkpoints.reading import CheckpointError
from mmmgd.checkpoints.state_dicts import sub_state
from mmmgd.cli.messages import one_message
from mmmgd.config import student_config
from mmmgd.engine.runner import model_of


def make_parser() -> argparse.ArgumentParser:
    """Return the parser with the arguments that only testing has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'config', help='config file: of the distillation, or of the student'
    )
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    parser.add_argument(
        '--out',
        metavar='FILE',
        help='.json: write the metrics; .pkl: write the predictions',
    )
    parser.add_argument(
        '--show-dir', metavar='DIR', help='folder for painted predictions'
    )
    parser.add_argument(
        '--allow-mismatch',
        action='store_true',
        help='evaluate a checkpoint of another model, with what fits of it',
    )
    return parser


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Evaluate.

    Args:
        argv: Arguments. Defaults to ``sys.argv``.

    Returns:
        The metrics.
    """
    args = parse_args(make_parser(), argv)
    with one_message(args.traceback):
        return evaluate(args)


def evaluate(args: argparse.Namespace) -> dict[str, float]:
    """Evaluate as the arguments say; return the metrics."""
    require_file(args.checkpoint, 'checkpoint')
    out = check_out(args.out)
    cfg = student_config(load_config(args))
    cfg.load_from = args.checkpoint
    cfg.resume = False
    if args.show_dir:
        apply_show_dir(cfg, os.path.abspath(args.show_dir))

    runner = build_runner(cfg)
    runner.register_hook(MustFit(args.allow_mismatch), priority='VERY_LOW')
    if out and out.suffix != '.json':
        dump_predictions(runner, out)
    metrics = runner.test()
    if out and out.suffix == '.json' and runner.rank == 0:
        write_json(out, metrics)
    leave_group()
    return metrics


class MustFit(Hook):
    """Refuses a checkpoint of another model.

    MMEngine only warns and goes on: with random weights where some lack, or
    with part of a deeper model. Both end in a metric of nobody.

    Args:
        allow: Only warn too.
    """

    def __init__(self, allow: bool) -> None:
        self.allow = allow

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse a checkpoint that does not fit the model."""
        state = checkpoint.get('state_dict', checkpoint)
        state = sub_state(state, 'module.') or state
        misfit = load_fitting(model_of(runner), state)
        if not misfit:
            return
        text = f'The checkpoint does not fit the config: {misfit}.'
        if not self.allow:
            raise CheckpointError(
                f'{text} Test it with the config that it was trained with. '
                'Or use what fits of it: --allow-mismatch.'
            )
        runner.logger.warning(f'--allow-mismatch: {text}')


def check_out(out: str | None) -> Path | None:
    """Return ``--out`` as a path, or end if its kind is unknown."""
    if out is None:
        return None
    if not out.endswith(('.json', '.pkl', '.pickle')):
        fail(
            f'--out expected a name that ends in .json (metrics) or .pkl '
            f"(predictions), but got '{out}'."
        )
    path = Path(out)
    if path.is_dir():
        fail(f"--out expected a file, but '{out}' is a folder.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=path.parent).close()
    except OSError as error:
        fail(f"--out '{out}': nothing can be written there ({error}).")
    return path


def dump_predictions(runner: Runner, path: Path) -> None:
    """Add the metric that writes all predictions into one pickle."""
    # mmdet's own dump packs masks, and its analysis tools read that form.
    kind = (
        'mmdet.DumpDetResults'
        if runner.cfg.get('default_scope') == 'mmdet'
        else 'DumpResults'
    )
    runner.test_evaluator.metrics.append(
        METRICS.build(dict(type=kind, out_file_path=str(path)))
    )


def apply_show_dir(cfg: Config, folder: str) -> None:
    """Let the visualization hook paint each prediction into a folder."""
    hook = cfg.get('default_hooks', {}).get('visualization') or {}
    kind = str(hook.get('type')).split('.')[-1]
    if kind == 'DetVisualizationHook':
        hook.update(draw=True, test_out_dir=folder)
    elif kind == 'VisualizationHook':  # mmpretrain
        hook.update(enable=True, out_dir=folder, interval=1)
    elif kind == 'SegVisualizationHook' and cfg.get('visualizer'):
        hook.update(draw=True, interval=1)
        cfg.visualizer.save_dir = folder
    else:
        fail(
            '--show-dir expected default_hooks.visualization of mmdet, mmseg '
            f"or mmpretrain, but the config has type '{hook.get('type')}'. "
            'Add the hook of your codebase, or leave --show-dir out.'
        )


if __name__ == '__main__':
    main()
