"""Files that a training reads, where it would itself write over them."""

import os
from fnmatch import fnmatch
from pathlib import Path

from mmengine.config import Config

from mmmgd.checkpoints.latest import NAMES
from mmmgd.checkpoints.reading import CheckpointError, local_path
from mmmgd.config import is_distilled, teacher_configs


def check_inputs(
    cfg: Config, work_dir: str | Path, start: str | None = None
) -> None:
    """Refuse a teacher, or a start, that the run would write over or remove.

    Args:
        cfg: The config of the run.
        work_dir: Where it writes its checkpoints.
        start: The file that a new training begins with.

    Raises:
        CheckpointError: Naming the key and the file.
    """
    folder = os.path.realpath(work_dir)
    for key, path in {**_teachers(cfg), 'load_from': start}.items():
        if not isinstance(path, str):
            continue
        file = os.path.realpath(local_path(path))  # of a link, what it names
        name = os.path.basename(file)
        own = any(fnmatch(name, pattern) for pattern in NAMES)
        if own and os.path.dirname(file) == folder:
            raise CheckpointError(
                f'{key}={path!r} lies in the work dir of this training '
                f"('{work_dir}'), under a name that it writes itself: the "
                'file would be lost. Choose another --work-dir, or move the '
                'file.'
            )


def _teachers(cfg: Config) -> dict[str, object]:
    """Return the file of each teacher by its key."""
    if not is_distilled(cfg):
        return {}
    return {
        '.'.join(filter(None, ('model.teacher', name, 'checkpoint'))): (
            teacher.get('checkpoint')
        )
        for name, teacher in teacher_configs(cfg.model.get('teacher')).items()
        if isinstance(teacher, dict)
    }
