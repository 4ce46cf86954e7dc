"""Handle a work dir that already holds a training, for `train.py`."""

import os
from pathlib import Path

from _common import fail
from mmengine.config import Config

from mmmgd.checkpoints.latest import (
    checkpoints_of,
    find_latest,
    pointer_of,
)
from mmmgd.checkpoints.lock import take
from mmmgd.checkpoints.reading import CheckpointError
from mmmgd.engine.inputs import check_inputs

RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')


def enter(cfg: Config, resume: str | None, overwrite: bool) -> list[str]:
    """Lock the work dir, and find out where the training begins.

    Args:
        cfg: Its ``resume`` and ``load_from`` are set.
        resume: None, 'auto' or the path of a checkpoint.
        overwrite: Whether older checkpoints may be lost.

    Returns:
        Lines for the log.
    """
    ranks = [os.environ[name] for name in RANKS if name in os.environ]
    if ranks[:1] in ([], ['0']):
        take(cfg.work_dir)  # before MMEngine writes into it
    restarted = int(os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)) > 0
    resume = after_restart(resume, Path(cfg.work_dir))
    try:
        notes = apply_resume(cfg, resume)
    except CheckpointError:
        if not overwrite:
            raise
        cfg.resume, notes = False, ['--resume: no file is usable.']
    start = None if cfg.get('resume') else cfg.get('load_from')
    check_inputs(cfg, cfg.work_dir, start)
    own = resume in (None, 'auto') or _lies_in(str(resume), cfg.work_dir)
    if not restarted and not (cfg.get('resume') and own):
        notes += make_room(cfg.work_dir, overwrite)
    return notes


def after_restart(resume: str | None, work_dir: Path) -> str | None:
    """Return ``--resume`` as it is meant after torchrun started us again.

    A restarted training goes on from its own last checkpoint, however it was
    sent. So that none of an older training is taken for it, the first start
    forgets which one that wrote last.
    """
    pointer = pointer_of(work_dir)
    if int(os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)):
        return 'auto' if pointer.is_file() else resume
    if (
        int(os.environ.get('TORCHELASTIC_MAX_RESTARTS', 0))
        and resume != 'auto'
    ):
        pointer.unlink(missing_ok=True)
    return resume


def apply_resume(cfg: Config, resume: str | None) -> list[str]:
    """Set ``resume`` and ``load_from``.

    A start from the beginning keeps the config's ``load_from``: a job that
    is always sent with ``--resume`` then begins like one sent without.

    Args:
        cfg: Changed in place.
        resume: None, 'auto' or the path of a checkpoint.

    Returns:
        Lines for the log.
    """
    if resume is None:
        return []
    notes: list[str] = []
    path: str | None = resume
    if resume == 'auto':
        path = find_latest(cfg.work_dir, log=notes.append)
    if path is None:
        cfg.resume = False
        return [
            f"--resume: no checkpoint in '{cfg.work_dir}' yet, so the "
            'training starts from the beginning.'
        ]
    cfg.resume = True
    cfg.load_from = path
    return [*notes, f"--resume: going on from '{path}'."]


def make_room(work_dir: str, overwrite: bool) -> list[str]:
    """Remove the checkpoints of an older training, or end for their sake.

    Returns:
        Lines for the log.
    """
    old = checkpoints_of(work_dir)
    if not old:
        return []
    names = ', '.join(path.name for path in old[:5])
    if not overwrite:
        fail(
            f"'{work_dir}' holds {len(old)} checkpoints of a training "
            f'({names}), and this one would write over them. Go on with that '
            'training: --resume. Begin anew: another --work-dir, or '
            '--overwrite, which removes them.'
        )
    for path in [*old, pointer_of(work_dir)]:
        path.unlink(missing_ok=True)
    return [f"--overwrite: removed {names} from '{work_dir}'."]


def _lies_in(path: str, folder: str) -> bool:
    return os.path.dirname(os.path.realpath(path)) == os.path.realpath(folder)
