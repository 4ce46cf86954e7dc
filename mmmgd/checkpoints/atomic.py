"""Write files atomically: a reader finds the old file or the new one."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from mmengine.fileio import LocalBackend, register_backend

BACKEND = 'mmmgd.atomic'


def write(path: str | Path, content: bytes) -> None:
    """Write a file under a temporary name, then rename it.

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
    """Write an object as json, atomically; NumPy and torch numbers too."""
    text = json.dumps(content, indent=2, default=lambda value: value.tolist())
    write(path, f'{text}\n'.encode())


def _sync_folder(folder: str) -> None:
    """Flush a folder, so that a rename in it survives a power failure."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class AtomicBackend(LocalBackend):
    """A local file backend that writes atomically and delays removals.

    MMEngine writes a checkpoint in place, and with ``max_keep_ckpts`` it
    removes the old one first: a crash in between leaves nothing. Here a
    removal waits until the next file is written.
    """

    # Shared by all instances: MMEngine makes a new backend for each file.
    pending_removals: ClassVar[list[str]] = []

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, then do the removals that were asked for before."""
        write(filepath, obj)
        for old in set(self.pending_removals) - {os.path.abspath(filepath)}:
            if os.path.isfile(old):
                os.remove(old)
        self.pending_removals.clear()

    def remove(self, filepath: str | Path) -> None:
        """Mark a file for removal after the next :meth:`put`."""
        self.pending_removals.append(os.path.abspath(filepath))


register_backend(BACKEND, AtomicBackend, force=True)
