"""Write a converter's output folder completely or not at all."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What converters write; anything else is somebody's own.
WRITTEN = {'train', 'val', 'annotations', 'leftImg8bit', 'gtFine'}


def digest(folder: Path) -> str:
    """Return a SHA-256 over the names and bytes of all but the record."""
    total = hashlib.sha256()
    files = [*folder.rglob('*.png'), *folder.rglob('*/*.json')]
    for path in sorted(files):
        total.update(path.relative_to(folder).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def read_record(out: Path, record: str) -> dict | None:
    """Return the record of a whole folder, and None for any other."""
    try:
        content = json.loads((out / record).read_text())
    except (OSError, ValueError):
        return None
    return content if content.get('digest') == digest(out) else None


def check_replaceable(out: Path, record: str) -> None:
    """Stop before deleting anything that no converter wrote."""
    if out.exists() and not out.is_dir():
        raise SystemExit(f'{out} is a file: choose another --out')
    others = {p.name for p in out.iterdir()} if out.exists() else set()
    others -= {*WRITTEN, record}
    if others:
        raise SystemExit(
            f'{out} holds files that are not ours ({sorted(others)[0]}): '
            'choose another --out, or an empty folder'
        )


def write_whole(
    out: Path,
    settings: dict[str, Any],
    write: Callable[[Path], None],
    record: str,
) -> bool:
    """Write the folder, or keep it if it is whole and of the same settings.

    Everything is written next to it and renamed at the end, so that an
    interrupted run leaves nothing that looks like data.

    Args:
        out: The folder.
        settings: What it depends on; kept in the record.
        write: Writes into an empty folder.
        record: Name of the file that says so; written last.

    Returns:
        Whether something was written.
    """
    found = read_record(out, record)
    if found and found.get('settings') == settings:
        return False
    check_replaceable(out, record)
    partial = out.with_name(f'{out.name}.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write(partial)
    content = {'settings': settings, 'digest': digest(partial)}
    (partial / record).write_text(json.dumps(content, indent=2) + '\n')
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return True
