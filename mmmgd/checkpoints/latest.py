"""Finding the checkpoint to go on from."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from .reading import CheckpointError, read_file

# What a run needs to go on; a best_*.pth has no optimizer, for example.
NEEDED = ('meta', 'message_hub', 'optimizer')
# How MMEngine and mmmgd.InterruptHook name the checkpoints of a run.
NAMES = ('epoch_*.pth', 'iter_*.pth', 'best_*.pth', 'interrupted.pth')


class _Found(NamedTuple):
    path: Path
    problem: str
    iteration: int


def pointer_of(work_dir: str | Path) -> Path:
    """Return the file in which MMEngine notes its last checkpoint."""
    return Path(work_dir) / 'last_checkpoint'


def checkpoints_of(work_dir: str | Path) -> list[Path]:
    """List the checkpoints that trainings have left in a work dir."""
    found = {path for name in NAMES for path in Path(work_dir).glob(name)}
    return sorted(found)


def find_latest(
    work_dir: str | Path, log: Callable[[str], None] = print
) -> str | None:
    """Return the newest usable checkpoint of a work dir.

    That is the one in ``last_checkpoint``; if it is missing or damaged, the
    one with the most iterations. MMEngine writes the path as seen from the
    working folder of that run. After a start from elsewhere, a move or a copy
    of the work dir, that is nothing or another run's file; the one meant lies
    in the work dir.

    Args:
        work_dir: The folder of the run.
        log: Takes a line about each file that is skipped.

    Returns:
        The path, or None if no checkpoint has been written yet.

    Raises:
        CheckpointError: If checkpoints were written, but none is usable.
    """
    folder, pointer = Path(work_dir), pointer_of(work_dir)
    named, others = None, checkpoints_of(folder)
    if pointer.is_file():
        # Whatever a crash has left in it.
        named = pointer.read_bytes().decode('utf-8', 'replace').strip()
        others = list(folder.glob('*.pth'))
    elif not others:
        return None
    problems: list[str] = []
    for found in _candidates(folder, named, others):
        if not found.problem:
            for line in problems:
                log(f'Resume: skipped {line}')
            if named is None:
                log(f"Resume: there is no '{pointer}', so the newest file.")
            return str(found.path)
        problems.append(f'{str(found.path)!r}: {found.problem}')
    raise CheckpointError(
        (f"'{pointer}' names {named!r}" if named else f"No '{pointer}'")
        + ', and there is no checkpoint to resume from '
        f'({"; ".join(problems) or "no file"}). Give one (--resume PATH), or '
        'start from the beginning (tools/train.py: --overwrite).'
    )


def _candidates(
    folder: Path, named: str | None, others: list[Path]
) -> Iterator[_Found]:
    """Give what to try: what the pointer means, then the newest first."""
    meant = [folder / Path(named).name, Path(named)] if named else []
    first = [p for p in meant if os.path.isfile(p)][:1] or meant[:1]
    for path in first:
        yield _look_into(path)
    rest = [_look_into(path) for path in others if path not in first]
    yield from sorted(rest, key=lambda found: -found.iteration)


def _look_into(path: Path) -> _Found:
    """Say why a file cannot be resumed from, and how far its run was."""
    if not os.path.isfile(path):
        return _Found(path, 'does not exist.', 0)
    try:
        content = read_file(str(path))
    except CheckpointError as error:
        problem = str(error).removeprefix(repr(str(path))).strip()
        return _Found(path, problem, 0)
    missing = [key for key in NEEDED if key not in content]
    if missing:
        return _Found(path, f'has no {" and no ".join(missing)}.', 0)
    return _Found(path, '', content['meta'].get('iter', 0))
