"""Create the environment that `make` uses, and check that it works.

Called by the Makefile. The result is remembered by the content of the
requirement files, so a second call returns at once and a changed file is
noticed.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import checks
import wheels
from operators import ensure_operators, install_wheel
from shell import Problem, Shell
from wanted import (
    COMMON,
    LIGHT_STAMP,
    ROOT,
    STAMP,
    is_complete,
    requirement_files,
    wanted_key,
)

NEEDED_GB = 8  # 5 GB of environment, and pip's downloads


def preflight(
    venv: Path, stack: str, version: tuple, needs_compiler: bool
) -> None:
    """Raise Problem for the first thing that would make it fail later."""
    site = 'lib/python3*/site-packages'
    has_torch = any(venv.glob(f'{site}/torch-*.dist-info'))
    has_mmcv = any(venv.glob(f'{site}/*mmcv-*.dist-info'))
    for problem in (
        checks.stack_problem(venv, stack),
        checks.python_problem(stack, version),
        '' if venv.exists() else checks.venv_module_problem(),
        checks.disk_problem(venv, 2 if has_torch else NEEDED_GB),
        checks.compiler_problem(os.environ)
        if needs_compiler and not has_mmcv
        else '',
    ):
        if problem:
            raise Problem(problem)


def version_of(venv: Path, chosen: bool) -> tuple:
    """Return the Python version that counts: the environment's, if any."""
    here = tuple(sys.version_info[:2])
    there = checks.venv_version(venv)
    if chosen and there and there != here:
        raise Problem(
            f'{venv} was made with Python {checks.dotted(there)}, but PYTHON '
            f'is {checks.dotted(here)}; remove {venv}, or choose another '
            'VENV, or leave PYTHON out'
        )
    return there or here


def install(
    venv: Path, files: dict, python: str, find_links: str, wheel: str = ''
) -> bool:
    """Fill the environment step by step, from these requirement files.

    Args:
        venv: The environment, made if there is none.
        files: Requirement files by their purpose.
        python: Interpreter that makes it.
        find_links: Page or folder of prebuilt wheels for pip.
        wheel: Address of mmcv's wheel, to be taken instead of compiling.

    Returns:
        False if that wheel does not work here.
    """
    shell = Shell(venv)
    if not checks.venv_version(venv):
        subprocess.check_call([python, '-m', 'venv', str(venv)])
    shell.log.write_text('', encoding='utf-8')
    steps = 4 if 'mmcv' in files else 3
    shell.say(f'1/{steps} torch and other libraries (a few GB the first time)')
    wanted = [files[key] for key in ('torch', *COMMON) if key in files]
    shell.pip(['install', *(f'-r{path}' for path in wanted)])
    bare = [files[key] for key in ('mmengine', 'codebases') if key in files]
    more = ', mmdet, mmseg, mmpretrain, mmrazor' if len(bare) > 1 else ''
    shell.say(f'2/{steps} mmengine{more}')
    without = ['--no-deps', '--no-build-isolation']
    shell.pip(['install', *without, *(f'-r{path}' for path in bare)])
    if 'mmcv' in files:
        shell.say(f'3/{steps} mmcv')
        if wheel and not install_wheel(shell, files['mmcv'], wheel):
            return False
        ensure_operators(shell, files['mmcv'], find_links)
    shell.say(f'{steps}/{steps} mmmgd itself')
    shell.pip(['install', *without, '-e', str(ROOT)])
    return True


def choose(venv: Path, page: str, chosen: bool) -> tuple:
    """Look for a wheel of mmcv: (interpreter, its version, address or '').

    An environment that exists, and a Python that the user chose, stay.
    """
    version = version_of(venv, chosen)
    python = sys.executable
    free = not chosen and not checks.venv_version(venv)
    if free and version != wheels.PYTHON and wheels.find_python():
        python, version = wheels.find_python(), wheels.PYTHON
    if version != wheels.PYTHON:
        return python, version, ''
    print(f'looking for a compiled mmcv: {page}', flush=True)
    pin = requirement_files('onedl')['mmcv'].read_text('utf-8').split()[0]
    wheel = wheels.find_wheel(page, pin)
    if wheel:
        return python, version, wheel
    print('  - none: mmcv will be compiled', flush=True)
    return sys.executable, version_of(venv, chosen), ''


def ensure(args: argparse.Namespace) -> None:
    """Install what is missing, and remember what is there."""
    venv, stack, light = args.venv, args.stack, args.light
    version = version_of(venv, args.python_chosen)
    if is_complete(venv, stack, version, light):
        print(f'{venv} is up to date ({stack} stack)')
        return
    links, python, wheel = args.mmcv_find_links, sys.executable, ''
    if stack == 'onedl' and not light:
        page = links or args.page
        python, version, wheel = choose(venv, page, args.python_chosen)
        links = links if version != wheels.PYTHON else ''
    preflight(venv, stack, version, not (light or links or wheel))
    print(f'setting up {venv} ({stack} stack)', flush=True)
    began = time.time()
    stamp = venv / (LIGHT_STAMP if light else STAMP)
    if stamp.exists():
        stamp.unlink()
    ready = bool(wheel)
    files = requirement_files(stack, light=light, ready=ready)
    if not install(venv, files, python, links, wheel):
        print('  - the wheel does not work here; compiling', flush=True)
        ready = False
        install(venv, requirement_files(stack), python, links)
    key = wanted_key(stack, version, light=light, ready=ready)
    stamp.write_text(key, encoding='utf-8')
    print(f'done in {(time.time() - began) / 60:.1f} min')


def main(argv: list) -> int:
    """Parse the command line and report every expected failure in words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--stack', default='onedl')
    parser.add_argument('--venv', type=Path, default=Path('.venv'))
    parser.add_argument('--mmcv-find-links', default='')
    parser.add_argument('--page', default=wheels.default_page())
    parser.add_argument('--python-chosen', action='store_true')
    parser.add_argument('--light', action='store_true', help='no codebases')
    args = parser.parse_args(argv)
    try:
        if args.stack not in checks.PYTHONS:
            known = '|'.join(checks.PYTHONS)
            raise Problem(f'expected STACK={known}, but got {args.stack!r}')
        ensure(args)
    except Problem as problem:
        print(f'make install: {problem}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nmake install: stopped; run it again to go on')
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
