"""Files that are either whole or not there."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from mmengine.fileio import LocalBackend, register_backend

BACKEND = 'mmmgd.atomic'


def write(path: str | Path, content: bytes) -> None:
    """Write a file under a temporary name, then move it to its own.

    A reader, or a machine that loses power, finds the old file or the new
    one. Nothing of a write that fails stays on the disk.

    Args:
        path: Where to; its folder is made.
        content: The whole file.

    Raises:
        OSError: If it cannot be written, with the path and the size.
    """
    path = os.path.abspath(path)
    folder = os.path.dirname(path)
    part = f'{path}.{os.getpid()}.part'
    try:
        os.makedirs(folder, exist_ok=True)
        with open(part, 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # the data before the name
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            os.remove(part)
        if isinstance(error, OSError):
            raise OSError(
                error.errno,
                f'{path!r} ({len(content)} bytes) could not be written: '
                f'{error.strerror or error}. Nothing of it was left, and a '
                'file that was there before is still whole. Make room, or '
                'choose another folder.',
            ) from error
        raise
    _sync_folder(folder)


def write_json(path: str | Path, content: Any) -> None:
    """Write numbers, also those of NumPy and torch, as :func:`write` does."""
    text = json.dumps(content, indent=2, default=lambda value: value.tolist())
    write(path, f'{text}\n'.encode())


def _sync_folder(folder: str) -> None:
    """Let the new name outlast a loss of power, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class AtomicBackend(LocalBackend):
    """Writes to a temporary name and moves; removes after that, not before.

    MMEngine writes a checkpoint in place, and with ``max_keep_ckpts`` it
    removes the old one first: a crash in between leaves nothing.
    """

    # Of the process: MMEngine makes a new backend for each file.
    doomed: ClassVar[list[str]] = []

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, then remove what was to be removed before it."""
        write(filepath, obj)
        for old in set(self.doomed) - {os.path.abspath(filepath)}:
            if os.path.isfile(old):
                os.remove(old)
        self.doomed.clear()

    def remove(self, filepath: str | Path) -> None:
        """Remove a file as soon as the next one is written."""
        self.doomed.append(os.path.abspath(filepath))


register_backend(BACKEND, AtomicBackend, force=True)
