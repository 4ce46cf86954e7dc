"""Checks that the installer makes before it changes anything.

Every check returns a sentence that says what to do, or '' when all is well.
The files of this folder use the standard library only and are written for any
Python 3.6 or later, so that a wrong version is told so in words.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Mapping

PYTHONS = {'onedl': ((3, 10), (3, 12)), 'openmmlab': ((3, 10), (3, 11))}
# Distributions that only one of the stacks has.
MARKS = {
    'onedl': ('onedl_mm',),
    'openmmlab': ('mmcv-', 'mmdet-', 'mmengine-', 'mmpretrain-', 'mmseg'),
}
# Which compilers to try, in the order in which PyTorch would.
COMPILERS = ('c++', 'g++', 'clang++')


def dotted(version: tuple) -> str:
    """Write (3, 11) as 3.11."""
    return '.'.join(str(part) for part in version[:2])


def python_problem(stack: str, version: tuple) -> str:
    """Check the Python version against the range of the stack."""
    low, high = PYTHONS[stack]
    if low <= tuple(version[:2]) <= high:
        return ''
    return (
        'expected Python {}-{} for the {} stack, but got {}; run: make '
        'install STACK={} PYTHON={}'.format(
            dotted(low),
            dotted(high),
            stack,
            dotted(version),
            stack,
            suitable_python(stack) or '/path/to/python3.11',
        )
    )


def suitable_python(stack: str) -> str:
    """Find the name of a Python on PATH that the stack supports, or ''."""
    low, high = PYTHONS[stack]
    for minor in range(high[1], low[1] - 1, -1):
        name = f'python3.{minor}'
        # A name can be on PATH and yet not run (version managers' shims).
        if shutil.which(name) and not subprocess.call(
            [name, '-c', ''],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ):
            return name
    return ''


def venv_module_problem() -> str:
    """Check that this Python can create environments with pip in them."""
    if importlib.util.find_spec('ensurepip'):
        return ''
    return (
        'this Python cannot create virtual environments (it has no '
        'ensurepip); install its venv package, for example: apt-get install '
        'python3-venv'
    )


def find_compiler(env: Mapping) -> str:
    """Find the C++ compiler that `env` leads to, or ''."""
    names = [env['CXX']] if env.get('CXX') else COMPILERS
    for name in names:
        if shutil.which(name, path=env.get('PATH', '')):
            return name
    return ''


def compiler_problem(env: Mapping, include: str = '') -> str:
    """Check that a C++ extension for this Python can be compiled."""
    if not find_compiler(env):
        return (
            "expected a C++ compiler to compile mmcv's operators, but found "
            'none on PATH; install one, for example: apt-get install g++ '
            '(or give prebuilt wheels: make install MMCV_FIND_LINKS=...)'
        )
    header = Path(include or sysconfig.get_paths()['include']) / 'Python.h'
    if not header.exists():
        return (
            "compiling mmcv's operators needs Python's headers, but there is "
            f'no {header}; install them, for example: apt-get install '
            'python3-dev'
        )
    return ''


def disk_problem(folder: Path, needed_gb: float) -> str:
    """Check the free space of the file system that will hold `folder`."""
    folder = Path(folder).absolute()
    while not folder.exists():
        folder = folder.parent
    free_gb = shutil.disk_usage(str(folder)).free / 1e9
    if free_gb >= needed_gb:
        return ''
    return (
        f'expected {needed_gb:g} GB of free disk space, but {folder} has '
        f'{free_gb:.1f} GB; free some, or put the environment on another '
        'disk: make install VENV=/path/with/space/venv'
    )


def installed_stacks(venv: Path) -> list:
    """List the stacks of which `venv` holds at least one distribution."""
    names = [p.name for p in venv.glob('lib/python3*/site-packages/*-info')]
    return [
        stack
        for stack, prefixes in MARKS.items()
        if any(name.startswith(prefixes) for name in names)
    ]


def stack_problem(venv: Path, stack: str) -> str:
    """Check that `venv` is an environment, and not one of another stack."""
    if venv.exists() and not (venv / 'pyvenv.cfg').exists():
        return (
            f'{venv} exists but is no virtual environment; choose another '
            f'place: make install VENV={venv}-mmmgd'
        )
    others = [s for s in installed_stacks(venv) if s != stack]
    if not others:
        return ''
    return (
        f'{venv} holds the {others[0]} stack, and two stacks in one '
        f'environment break each other; run: make install STACK={stack} '
        f'VENV=.venv-{stack} (or, to use what is there: STACK={others[0]})'
    )


def venv_version(venv: Path) -> tuple:
    """Return the Python version of an existing environment, or ()."""
    try:
        text = (venv / 'pyvenv.cfg').read_text(encoding='utf-8')
    except OSError:
        return ()
    found = re.search(r'^version *= *(\d+)\.(\d+)', text, re.MULTILINE)
    runs = os.access(str(venv / 'bin' / 'python'), os.X_OK)
    return (
        tuple(int(part) for part in found.groups()) if found and runs else ()
    )


def install_key(stack: str, version: tuple, files: list) -> str:
    """Hash all that decides what an environment must contain."""
    digest = hashlib.sha256(f'{stack} {dotted(version)}'.encode())
    for path in sorted(files):
        digest.update(path.name.encode() + b'\0' + path.read_bytes() + b'\0')
    return digest.hexdigest()
