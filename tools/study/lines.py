"""Append and read results, one JSON line a finished cell."""

import fcntl
import json
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .grid import TEACHER, Study

Line = dict[str, Any]
FIELDS = ('task', 'method', 'seed', 'metric', 'value', 'settings', 'code')


def append(file: Path, line: Line) -> None:
    """Append a line by one write, on the disk when this returns.

    What a killed process left half-written before it stays a line of its own.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(line, ensure_ascii=False) + '\n'
    with file.open('ab+') as out:
        if out.tell():
            out.seek(-1, os.SEEK_END)
            if out.read(1) != b'\n':
                text = '\n' + text
        out.write(text.encode())
        out.flush()
        os.fsync(out.fileno())


def results(study: Study) -> list[Line]:
    """Read the lines of a study, and those that count for it, too."""
    found = read(study.lines)
    known = {TEACHER, *study.methods}
    for name in study.lines_of:
        others = read((study.file.parent / name).with_suffix('.jsonl'))
        found += [line for line in others if line['method'] in known]
    return found


def read(file: Path) -> list[Line]:
    """Read all whole lines, and warn of each other one."""
    if not file.is_file():
        return []
    lines = []
    text = file.read_text(encoding='utf-8', errors='replace')
    for number, row in enumerate(text.splitlines(), 1):
        try:
            line = json.loads(row)
            missing = [key for key in FIELDS if key not in line]
            if missing:
                raise ValueError(f'without {missing[0]!r}')
            lines.append(line)
        except (ValueError, TypeError) as error:
            if row.strip():
                warnings.warn(
                    f'{file}, line {number} is skipped: not a whole result '
                    f'({error})',
                    stacklevel=2,
                )
    return lines


@contextmanager
def locked(file: Path, seconds: float = 10) -> Iterator[None]:
    """Hold a lock, so that two processes never run the same study.

    The system lets go of it when its holder dies, however.

    Raises:
        SystemExit: If another process still holds it after the seconds.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    with file.open('a') as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise SystemExit(
                        f'{file.parent} is in use: another process runs this '
                        'study. Wait for it, or end it; on another machine, '
                        'use a checkout of its own.'
                    ) from None
                time.sleep(0.1)
        yield
