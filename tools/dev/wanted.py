"""What an environment must hold, and how it is remembered that it does."""

from pathlib import Path

import checks

ROOT = Path(__file__).resolve().parents[2]
# Requirement files of both stacks, and of each; first without the codebases.
LIGHT = ('build', 'dev', 'runtime', 'support-mmengine')
LIGHT_OF_STACK = ('torch', 'mmengine')
COMMON = (*LIGHT, 'demo', 'support')
OF_STACK = (*LIGHT_OF_STACK, 'codebases', 'mmcv')
STAMP = 'mmmgd-installed'
LIGHT_STAMP = 'mmmgd-installed-light'


def requirement_files(
    stack: str, root: Path = ROOT, light: bool = False, ready: bool = False
) -> dict:
    """Map the purpose of a requirement file to its path.

    Args:
        stack: 'onedl' or 'openmmlab'.
        root: Root of the project.
        light: Without the codebases.
        ready: With the torch that mmcv's wheel is for.
    """
    names = {name: name for name in (LIGHT if light else COMMON)}
    for part in LIGHT_OF_STACK if light else OF_STACK:
        names[part] = f'{stack}-{part}'
    if ready:
        names['torch'] = 'wheels-torch'
    folder = root / 'requirements'
    return {key: folder / f'{name}.txt' for key, name in names.items()}


def wanted_key(
    stack: str,
    version: tuple,
    root: Path = ROOT,
    light: bool = False,
    ready: bool = False,
) -> str:
    """Identify what an up-to-date environment would contain."""
    files = requirement_files(stack, root, light, ready).values()
    return checks.install_key(stack, version, [*files, root / 'setup.py'])


def is_current(venv: Path, key: str, stamp_name: str = STAMP) -> bool:
    """Tell whether `venv` was completely installed for this key."""
    stamp = venv / stamp_name
    if not checks.venv_version(venv) or not stamp.exists():
        return False
    return stamp.read_text(encoding='utf-8') == key


def is_complete(venv: Path, stack: str, version: tuple, light: bool) -> bool:
    """Tell whether `venv` holds what is wanted, or more."""
    keys = [wanted_key(stack, version, ready=r) for r in (False, True)]
    key = wanted_key(stack, version, light=True)
    return any(is_current(venv, k) for k in keys) or (
        light and is_current(venv, key, LIGHT_STAMP)
    )
