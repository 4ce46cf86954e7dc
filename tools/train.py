"""Trains the model of a config: a student with its teacher, or any other."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mmmgd.compat  # noqa: F401  # isort: skip  (first: repairs mmseg::)

from _common import (
    build_runner,
    fail,
    leave_group,
    load_config,
    parse_args,
    require_file,
)
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.runner import find_latest_checkpoint


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser with the arguments that only training has."""
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
        '--amp',
        action='store_true',
        help='automatic mixed precision (needs a GPU)',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the batch size over all GPUs',
    )
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Trains.

    Args:
        argv (Sequence[str], optional): Arguments. Defaults to ``sys.argv``.
    """
    args = parse_args(make_parser(), argv)
    # Before anything is read or built: a typing error must not cost minutes.
    if args.resume not in (None, 'auto'):
        require_file(args.resume, '--resume')
    cfg = load_config(args)
    notes = [apply_resume(cfg, args.resume)]
    if args.amp:
        notes.append(apply_amp(cfg))
    if args.auto_scale_lr:
        apply_auto_scale_lr(cfg)

    build_runner(cfg, notes).train()
    leave_group()


def apply_resume(cfg: Config, resume: str | None) -> str | None:
    """Sets ``resume`` and ``load_from``.

    A start from the beginning keeps the config's ``load_from``: a job that
    is always sent with ``--resume`` then begins like one sent without.

    Args:
        cfg (Config): Changed in place.
        resume (str, optional): None, 'auto' or the path of a checkpoint.

    Returns:
        str | None: A line for the log.
    """
    if resume is None:
        return None
    path = find_latest(Path(cfg.work_dir)) if resume == 'auto' else resume
    if path is None:
        cfg.resume = False
        return (
            f"--resume: no checkpoint in '{cfg.work_dir}' yet, so the "
            'training starts from the beginning.'
        )
    cfg.resume = True
    cfg.load_from = path
    return f"--resume: going on from '{path}'."


def find_latest(work_dir: Path) -> str | None:
    """Returns the latest checkpoint of a work dir, or None.

    MMEngine writes its path, as seen from the working folder of that run.
    After a start from elsewhere, a move or a copy of the work dir, that is
    nothing or another run's file; the one meant lies in the work dir.
    """
    if not (work_dir / 'last_checkpoint').is_file():
        return None
    written = find_latest_checkpoint(str(work_dir))
    for path in (work_dir / Path(written).name, Path(written)):
        if path.is_file():
            return str(path)
    fail(
        f"'{work_dir / 'last_checkpoint'}' names '{written}', which does not "
        'exist. Give a checkpoint (--resume PATH), or delete that file to '
        'start from the beginning.'
    )


def apply_amp(cfg: Config) -> str | None:
    """Turns the optimizer wrapper into an ``AmpOptimWrapper``.

    Returns:
        str | None: A line for the log if the config had done it already.
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
    # MMEngine's wrapper refuses the CPU, where torch itself could use bf16.
    if get_device() in ('cpu', 'mps'):
        fail(
            '--amp needs an accelerator that AmpOptimWrapper supports (CUDA, '
            f"NPU, MLU, MUSA), but this machine offers only '{get_device()}'."
            ' Run without --amp.'
        )
    if name == 'AmpOptimWrapper':
        return '--amp: the config uses AmpOptimWrapper already.'
    wrapper.type = 'AmpOptimWrapper'
    wrapper.setdefault('loss_scale', 'dynamic')
    return None


def apply_auto_scale_lr(cfg: Config) -> None:
    """Switches ``auto_scale_lr`` on."""
    if not cfg.get('auto_scale_lr', {}).get('base_batch_size'):
        fail(
            '--auto-scale-lr needs the batch size that the learning rate was '
            'chosen for, but the config has no auto_scale_lr.base_batch_size.'
            ' Add e.g. auto_scale_lr = dict(base_batch_size=256).'
        )
    cfg.auto_scale_lr.enable = True


if __name__ == '__main__':
    main()
