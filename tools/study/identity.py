"""What a result depends on: code, data, settings, teacher, versions."""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmmgd.config import read_config

from .grid import Cell

ROOT = Path(__file__).resolve().parents[2]
# What a training runs of ours. Not this folder's own bookkeeping.
CODE = (
    'mmmgd',
    'tools/train.py',
    'tools/test.py',
    'tools/_common.py',
    'tools/_group.py',
    'tools/_work_dir.py',
)
PACKAGES = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmsegmentation')


def digest(paths: Sequence[Path], pattern: str = '*') -> str:
    """Return twelve digits over the names and bytes of files.

    Args:
        paths: Files, and folders for all that lies in them.
        pattern: Which files of a folder.

    Raises:
        FileNotFoundError: If one of the paths is missing.
    """
    total = hashlib.sha256()
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(
                f'there is no {path} (working folder: {Path.cwd()}); '
                '`make data` writes the data of the studies'
            )
        found = sorted(path.rglob(pattern)) if path.is_dir() else [path]
        for file in found:
            if file.is_file():
                total.update(file.relative_to(path).as_posix().encode())
                total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:12]


@lru_cache
def code() -> str:
    """Return the digest of our own code that trainings run."""
    return digest([ROOT / path for path in CODE], '*.py')


@lru_cache
def data(paths: tuple[str, ...]) -> str:
    """Return the digest of data."""
    return digest([Path(path) for path in paths])


def settings(cell: Cell) -> tuple[Config, str]:
    """Return the whole config of a cell, and its digest without the seed.

    A teacher's config is named by its whole path. Where the project or the
    working folder lies is no setting: another machine goes on with the lines.
    """
    cfg = read_config(cell.config, dict(cell.overrides))
    content = cfg.to_dict()
    content.pop('randomness', None)
    content.pop('work_dir', None)
    text = json.dumps(content, sort_keys=True, default=repr)
    for place in (ROOT, Path.cwd()):  # the one may lie in the other
        text = text.replace(f'"{place}/', '"')
    return cfg, hashlib.sha256(text.encode()).hexdigest()[:12]


def weights(cfg: Config) -> str | None:
    """Return the digest of the files that a model learns or starts from.

    Raises:
        FileNotFoundError: If one is not there.
    """
    files = [Path(name) for name in sorted(set(_checkpoints(cfg.model)))]
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(
                f'there is no {file}, which the model learns or starts from'
            )
    return digest(files) if files else None


def _checkpoints(part: Any) -> Iterator[str]:
    """Find local checkpoints in the config of a model."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            if name == 'checkpoint' and isinstance(value, str):
                if '://' not in value:
                    yield value
            else:
                yield from _checkpoints(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _checkpoints(value)


def versions() -> dict[str, str]:
    """Return the versions of what the numbers depend on."""
    found = {'python': platform.python_version()}
    for package in PACKAGES:
        for name in (package, f'onedl-{package}'):
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                continue
    return found


@lru_cache
def commit() -> str:
    """Return the newest commit whose code is the one that runs here.

    `git checkout COMMIT -- mmmgd tools/train.py ...` brings it back.
    """
    commits = _git('log', '-100', '--format=%h', '--', *CODE).stdout.split()
    for one in commits:
        if _git('diff', '--quiet', one, '--', *CODE).returncode == 0:
            return one
    return 'not committed'


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ['git', *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def processor() -> str:
    """Return the name of the processor."""
    try:
        text = Path('/proc/cpuinfo').read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [
        line.partition(':')[2].strip()
        for line in text.splitlines()
        if line.startswith('model name')
    ]
    return names[0] if names else platform.machine()


def key(line: dict[str, Any]) -> tuple:
    """Return what must agree in two results of the same cell."""
    point = json.dumps(line.get('point') or {}, sort_keys=True)
    names = ('task', 'method', 'seed', 'settings', 'code', 'data', 'teacher')
    return (point, *(line.get(name) for name in names))


def short(digests: Mapping[str, str | None]) -> str:
    """Return eight digits that stand for several digests."""
    text = json.dumps(digests, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
