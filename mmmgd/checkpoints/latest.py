"""Find the checkpoint to resume from."""

import os
from collections.abc import Callable
from pathlib import Path

from .reading import CheckpointError, read_file

# Keys that resuming needs; a best_*.pth has no optimizer, for example.
NEEDED = ('meta', 'message_hub', 'optimizer')


def find_latest(
    work_dir: str | Path, log: Callable[[str], None] = print
) -> str | None:
    """Return the newest usable checkpoint of a work dir.

    That is the one in ``last_checkpoint``; if it is missing or damaged, the
    one written before it, and so on. MMEngine writes the path as seen from
    the working folder of that run. After a start from elsewhere, a move or a
    copy of the work dir, that is nothing or another run's file; the one meant
    lies in the work dir.

    Args:
        work_dir: The folder of the run.
        log: Takes a line about each file that is skipped.

    Returns:
        The path, or None if no checkpoint has been written yet.

    Raises:
        CheckpointError: If checkpoints were written, but none is usable.
    """
    folder = Path(work_dir)
    pointer = folder / 'last_checkpoint'
    if not pointer.is_file():
        return None
    named = pointer.read_text().strip()
    problems: list[str] = []
    for path in _candidates(folder, named):
        problem = _problem(path)
        if problem is None:
            for line in problems:
                log(f'Resume: skipped {line}')
            return str(path)
        problems.append(f"'{path}': {problem}")
    raise CheckpointError(
        f"'{pointer}' names '{named}', but there is no checkpoint to resume "
        f'from ({"; ".join(problems) or "no file"}). Give a checkpoint '
        '(--resume PATH), or delete that file to start from the beginning.'
    )


def _candidates(folder: Path, named: str) -> list[Path]:
    """List the files to try: the one in last_checkpoint, then by age."""
    meant = [folder / Path(named).name, Path(named)] if named else []
    first = [p for p in meant if p.is_file()][:1] or meant[:1]
    others = sorted(
        (p for p in folder.glob('*.pth') if p not in first),
        key=os.path.getmtime,
        reverse=True,
    )
    return [*first, *others]


def _problem(path: Path) -> str | None:
    """Return why a file cannot be resumed from; None if it can."""
    try:
        content = read_file(str(path))
    except FileNotFoundError:
        return 'does not exist.'
    except CheckpointError as error:
        return str(error).removeprefix(repr(str(path))).strip()
    missing = [key for key in NEEDED if key not in content]
    if missing:
        return f'has no {" and no ".join(missing)}.'
    return None
