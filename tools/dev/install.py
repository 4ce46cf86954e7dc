"""Create the environment that `make` works in: one stack, proven to work.

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
COMMON = ('build', 'demo', 'dev', 'runtime', 'support')
NEEDED_GB = 8  # 5 GB of environment, and pip's downloads
STAMP = 'mmmgd-installed'


def requirement_files(stack: str, root: Path = ROOT) -> dict:
    """Map the purpose of a requirement file to its path."""
    names = {name: name for name in COMMON}
    for part in ('torch', 'mmcv', 'codebases'):
        names[part] = f'{stack}-{part}'
    folder = root / 'requirements'
    return {key: folder / f'{name}.txt' for key, name in names.items()}


def wanted_key(stack: str, version: tuple, root: Path = ROOT) -> str:
    """Identify what an up-to-date environment would contain."""
    files = [*requirement_files(stack, root).values(), root / 'setup.py']
    return checks.install_key(stack, version, files)


def is_current(venv: Path, key: str) -> bool:
    """Tell whether `venv` was completely installed for this key."""
    stamp = venv / STAMP
    if not checks.venv_version(venv) or not stamp.exists():
        return False
    return stamp.read_text(encoding='utf-8') == key


def preflight(venv: Path, stack: str, version: tuple, find_links: str) -> None:
    """Raise Problem for the first thing that would make it fail later."""
    site = 'lib/python3*/site-packages'
    has_torch = any(venv.glob(f'{site}/torch-*.dist-info'))
    has_mmcv = any(venv.glob(f'{site}/*mmcv-*.dist-info'))
    for problem in (
        checks.stack_problem(venv, stack),
        checks.python_problem(stack, version),
        '' if venv.exists() else checks.venv_module_problem(),
        checks.disk_problem(venv, 2 if has_torch else NEEDED_GB),
        '' if find_links or has_mmcv else checks.compiler_problem(os.environ),
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


def install(venv: Path, stack: str, find_links: str, version: tuple) -> None:
    """Fill the environment step by step."""
    files = requirement_files(stack)
    shell = Shell(venv)
    if not checks.venv_version(venv):
        subprocess.check_call([sys.executable, '-m', 'venv', str(venv)])
    (venv / STAMP).write_text('', encoding='utf-8')
    shell.log.write_text('', encoding='utf-8')
    shell.say('1/4 torch and other libraries (a few GB the first time)')
    wanted = [files[key] for key in ('torch', *COMMON)]
    shell.pip(['install', *(f'-r{path}' for path in wanted)])
    shell.say('2/4 mmengine, mmdet, mmseg, mmpretrain, mmrazor')
    without = ['--no-deps', '--no-build-isolation']
    shell.pip(['install', *without, f'-r{files["codebases"]}'])
    shell.say('3/4 mmcv')
    ensure_operators(shell, files['mmcv'], find_links)
    shell.say('4/4 mmmgd itself')
    shell.pip(['install', *without, '-e', str(ROOT)])
    (venv / STAMP).write_text(wanted_key(stack, version), encoding='utf-8')


def main(argv: list) -> int:
    """Parse the command line and report every expected failure in words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--stack', default='onedl')
    parser.add_argument('--venv', type=Path, default=Path('.venv'))
    parser.add_argument('--mmcv-find-links', default='')
    parser.add_argument('--python-chosen', action='store_true')
    args = parser.parse_args(argv)
    began = time.time()
    try:
        if args.stack not in checks.PYTHONS:
            known = '|'.join(checks.PYTHONS)
            raise Problem(f'expected STACK={known}, but got {args.stack!r}')
        version = version_of(args.venv, args.python_chosen)
        if is_current(args.venv, wanted_key(args.stack, version)):
            print(f'{args.venv} is up to date ({args.stack} stack)')
            return 0
        preflight(args.venv, args.stack, version, args.mmcv_find_links)
        print(f'setting up {args.venv} ({args.stack} stack)', flush=True)
        install(args.venv, args.stack, args.mmcv_find_links, version)
    except Problem as problem:
        print(f'make install: {problem}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nmake install: stopped; run it again to go on')
        return 130
    print(f'done in {(time.time() - began) / 60:.1f} min')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
