"""One training at a time in a work dir."""

import json
import logging
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout
from mmengine.logging import print_log

from .atomic import write_json

LOCK, HOLDER = '.lock', '.lock.json'
# Seconds: data loader workers outlive a killed training, and its lock in them.
WAIT = 15
# What this process holds: the folder, who took it (a fork is another), how.
_held: dict[str, tuple[int, FileLock]] = {}


class WorkDirInUseError(RuntimeError):
    """Another process trains in this work dir."""


def take(work_dir: str | Path) -> None:
    """Hold a work dir until :func:`give_back`, or until this process ends.

    Parts of files that a killed training has left are removed.

    Raises:
        WorkDirInUseError: If a process that lives holds it, named by host
            and number.
    """
    folder = os.path.abspath(work_dir)
    if _held.get(folder, (0,))[0] == os.getpid():
        return
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise type(error)(
            f"The work dir '{folder}' cannot be made: {error}. Choose another "
            '--work-dir.'
        ) from error
    holder, lock = _holder(folder), FileLock(os.path.join(folder, LOCK))
    try:
        lock.acquire(timeout=WAIT if _has_ended(holder) else 0)
    except Timeout:
        raise WorkDirInUseError(
            f"The work dir '{folder}' is in use: process "
            f'{holder.get("pid", "?")} on {holder.get("host", "?")} has '
            f'trained there since {holder.get("since", "?")}. Choose another '
            '--work-dir, or end that process.'
        ) from None
    except (NotImplementedError, OSError) as error:
        print_log(
            f"The work dir '{folder}' cannot be locked ({error}). See to it "
            'that no second training writes there.',
            logger='current',
            level=logging.WARNING,
        )
        return
    _held[folder] = os.getpid(), lock
    if holder:
        print_log(
            f"Took over '{folder}' from process {holder.get('pid')} on "
            f'{holder.get("host")}, which has ended without giving it back.',
            logger='current',
        )
    write_json(os.path.join(folder, HOLDER), _me())
    for part in Path(folder).glob('*.part'):
        part.unlink(missing_ok=True)


def give_back(work_dir: str | Path) -> None:
    """Let others train in a work dir that this process holds."""
    folder = os.path.abspath(work_dir)
    owner, lock = _held.get(folder, (0, None))
    if lock is not None and owner == os.getpid():
        del _held[folder]
        with suppress(OSError):
            os.remove(os.path.join(folder, HOLDER))
        lock.release()


def _me() -> dict:
    return {
        'host': socket.gethostname(),
        'pid': os.getpid(),
        'since': time.strftime('%Y-%m-%d %H:%M:%S'),
    }


def _holder(folder: str) -> dict:
    """Return who noted that it holds the folder; {} if nobody has."""
    try:
        holder = json.loads(Path(folder, HOLDER).read_bytes())
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _has_ended(holder: dict) -> bool:
    """Whether it was a process of this host, which is no more."""
    if holder.get('host') != socket.gethostname():
        return False
    try:
        os.kill(int(holder['pid']), 0)
    except ProcessLookupError:
        return True
    except (KeyError, TypeError, ValueError, OSError):
        return False
    return False
