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
from operators import ensure_operators
from shell import Problem, Shell

ROOT = Path(__file__).resolve().parents[2]
# Requirement files of both stacks, and of each; first without the codebases.
LIGHT = ('build', 'dev', 'runtime', 'support-mmengine')
LIGHT_OF_STACK = ('torch', 'mmengine')
COMMON = (*LIGHT, 'demo', 'support')
OF_STACK = (*LIGHT_OF_STACK, 'codebases', 'mmcv')
NEEDED_GB = 8  # 5 GB of environment, and pip's downloads
STAMP = 'mmmgd-installed'
LIGHT_STAMP = 'mmmgd-installed-light'


def requirement_files(
    stack: str, root: Path = ROOT, light: bool = False
) -> dict:
    """Map the purpose of a requirement file to its path."""
    names = {name: name for name in (LIGHT if light else COMMON)}
    for part in LIGHT_OF_STACK if light else OF_STACK:
        names[part] = f'{stack}-{part}'
    folder = root / 'requirements'
    return {key: folder / f'{name}.txt' for key, name in names.items()}


def wanted_key(
    stack: str, version: tuple, root: Path = ROOT, light: bool = False
) -> str:
    """Identify what an up-to-date environment would contain."""
    files = requirement_files(stack, root, light).values()
    return checks.install_key(stack, version, [*files, root / 'setup.py'])


def is_current(venv: Path, key: str, stamp_name: str = STAMP) -> bool:
    """Tell whether `venv` was completely installed for this key."""
    stamp = venv / stamp_name
    if not checks.venv_version(venv) or not stamp.exists():
        return False
    return stamp.read_text(encoding='utf-8') == key


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


def install(venv: Path, files: dict, find_links: str) -> None:
    """Fill the environment step by step, from these requirement files."""
    shell = Shell(venv)
    if not checks.venv_version(venv):
        subprocess.check_call([sys.executable, '-m', 'venv', str(venv)])
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
        ensure_operators(shell, files['mmcv'], find_links)
    shell.say(f'{steps}/{steps} mmmgd itself')
    shell.pip(['install', *without, '-e', str(ROOT)])


def ensure(
    venv: Path, stack: str, version: tuple, find_links: str, light: bool
) -> None:
    """Install what is missing, and remember what is there."""
    full_key = wanted_key(stack, version)
    key = wanted_key(stack, version, light=True) if light else full_key
    stamp = LIGHT_STAMP if light else STAMP
    if is_current(venv, full_key) or is_current(venv, key, stamp):
        print(f'{venv} is up to date ({stack} stack)')
        return
    preflight(venv, stack, version, not light and not find_links)
    print(f'setting up {venv} ({stack} stack)', flush=True)
    began = time.time()
    if (venv / stamp).exists():
        (venv / stamp).unlink()
    install(venv, requirement_files(stack, light=light), find_links)
    (venv / stamp).write_text(key, encoding='utf-8')
    print(f'done in {(time.time() - began) / 60:.1f} min')


def main(argv: list) -> int:
    """Parse the command line and report every expected failure in words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--stack', default='onedl')
    parser.add_argument('--venv', type=Path, default=Path('.venv'))
    parser.add_argument('--mmcv-find-links', default='')
    parser.add_argument('--python-chosen', action='store_true')
    parser.add_argument('--light', action='store_true', help='no codebases')
    args = parser.parse_args(argv)
    try:
        if args.stack not in checks.PYTHONS:
            known = '|'.join(checks.PYTHONS)
            raise Problem(f'expected STACK={known}, but got {args.stack!r}')
        version = version_of(args.venv, args.python_chosen)
        ensure(
            args.venv, args.stack, version, args.mmcv_find_links, args.light
        )
    except Problem as problem:
        print(f'make install: {problem}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nmake install: stopped; run it again to go on')
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
