"""Files that are either whole or not there."""

import os
from pathlib import Path
from typing import ClassVar

from mmengine.fileio import LocalBackend, register_backend

BACKEND = 'mmmgd.atomic'


class AtomicBackend(LocalBackend):
    """Writes to a temporary name and moves; removes after that, not before.

    MMEngine writes a checkpoint in place, and with ``max_keep_ckpts`` it
    removes the old one first: a crash in between leaves nothing.
    """

    # Of the process: MMEngine makes a new backend for each file.
    doomed: ClassVar[list[str]] = []

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, then remove what was to be removed before it."""
        path = os.path.abspath(filepath)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        part = f'{path}.part'
        with open(part, 'wb') as file:
            file.write(obj)
            file.flush()
            os.fsync(file.fileno())  # the data before the name
        os.replace(part, path)
        for old in set(self.doomed) - {path}:
            if os.path.isfile(old):
                os.remove(old)
        self.doomed.clear()

    def remove(self, filepath: str | Path) -> None:
        """Remove a file as soon as the next one is written."""
        self.doomed.append(os.path.abspath(filepath))


register_backend(BACKEND, AtomicBackend, force=True)
