"""Trains the model of a config: a student with its teacher, or any other."""

import argparse
from collections.abc import Sequence
from typing import Any

import mmmgd.compat  # noqa: F401  # isort: skip  (first: repairs mmseg::)

from _common import (
    build_runner,
    fail,
    load_config,
    parse_args,
    require_file,
)
from _group import leave_group
from _work_dir import enter
from mmengine.config import Config
from mmengine.device import get_device

from mmmgd.cli.messages import one_message
from mmmgd.config import is_distilled
from mmmgd.engine.student_file import write_student
from mmmgd.hooks import WorkDirHook


def make_parser() -> argparse.ArgumentParser:
    """Return the parser with the arguments that only training has."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='auto|PATH',
        help='go on from this checkpoint; alone or with auto: from the '
        'latest one in the work dir, or from the start if there is none',
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='begin anew in a work dir that holds checkpoints of a training, '
        'and remove them; with --resume only if none of them is usable',
    )
    parser.add_argument(
        '--allow-changes',
        action='store_true',
        help='resume although the file of the teacher has changed',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='automatic mixed precision: on a GPU as AmpOptimWrapper does, '
        'on the CPU in bfloat16',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the batch size over all GPUs',
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Train.

    Args:
        argv: Arguments. Defaults to ``sys.argv``.
    """
    args = parse_args(make_parser(), argv)
    with one_message(args.traceback):
        train(args)


def train(args: argparse.Namespace) -> None:
    """Train as the arguments say."""
    # Before anything is read or built: a typing error must not cost minutes.
    if args.resume not in (None, 'auto'):
        require_file(args.resume, '--resume')
    cfg = load_config(args)
    notes = apply_amp(cfg) if args.amp else []
    if args.auto_scale_lr:
        apply_auto_scale_lr(cfg)
    if args.allow_changes:
        tune_hook(cfg, 'ResumeHook', allow_changes=True)
    notes += enter(cfg, args.resume, args.overwrite)
    runner = build_runner(cfg, notes)
    if not any(isinstance(hook, WorkDirHook) for hook in runner.hooks):
        runner.register_hook(WorkDirHook())
    if runner.rank == 0 and _is_plain(cfg):
        write_student(cfg, runner.work_dir)
    runner.train()
    leave_group()


def _is_plain(cfg: Config) -> bool:
    """Whether the model is trained without a teacher, ours or MMRazor's."""
    return not is_distilled(cfg) and 'architecture' not in cfg.model


def tune_hook(cfg: Config, kind: str, **arguments: Any) -> None:
    """Set arguments of a hook of ours, which the config need not name."""
    named = [*cfg.default_hooks.values(), *(cfg.get('custom_hooks') or [])]
    for hook in named:
        if hook and str(hook.get('type')) == f'mmmgd.{kind}':
            hook.update(arguments)
            return
    cfg.default_hooks[kind] = dict(type=f'mmmgd.{kind}', **arguments)


def apply_amp(cfg: Config) -> list[str]:
    """Turn the optimizer wrapper into an ``AmpOptimWrapper``.

    Returns:
        Lines for the log.
    """
    wrapper = cfg.get('optim_wrapper')
    if not wrapper:
        fail('--amp needs an optim_wrapper, but the config has none.')
    kind = wrapper.get('type', 'OptimWrapper')
    name = (kind if isinstance(kind, str) else kind.__name__).split('.')[-1]
    if name not in ('OptimWrapper', 'AmpOptimWrapper'):
        fail(
            "--amp expected optim_wrapper.type 'OptimWrapper', but the "
            f"config has '{name}'. Set its own precision options there, or "
            'run without --amp.'
        )
    if get_device() == 'cpu' and name == 'OptimWrapper':
        # MMEngine's wrapper refuses the CPU.
        wrapper.type = 'mmmgd.CPUAmpOptimWrapper'
        return ['--amp: bfloat16 on the CPU.']
    if get_device() in ('cpu', 'mps'):
        fail(
            '--amp: AmpOptimWrapper needs CUDA, NPU, MLU or MUSA, but this '
            f"machine offers only '{get_device()}'. Run without --amp, or on "
            "the CPU with optim_wrapper.type='OptimWrapper'."
        )
    if name == 'AmpOptimWrapper':
        return ['--amp: the config uses AmpOptimWrapper already.']
    wrapper.type = 'AmpOptimWrapper'
    wrapper.setdefault('loss_scale', 'dynamic')
    return []


def apply_auto_scale_lr(cfg: Config) -> None:
    """Switch ``auto_scale_lr`` on."""
    if not cfg.get('auto_scale_lr', {}).get('base_batch_size'):
        fail(
            '--auto-scale-lr needs the batch size that the learning rate was '
            'chosen for, but the config has no auto_scale_lr.base_batch_size.'
            ' Add e.g. auto_scale_lr = dict(base_batch_size=256).'
        )
    cfg.auto_scale_lr.enable = True


if __name__ == '__main__':
    main()
