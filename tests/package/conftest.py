"""The wheel, and environments in which nothing else of ours is.

Such an environment sees the libraries of the one that runs the tests, by links
to each, so that nothing is downloaded; a codebase can be left out.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SITE = Path(sysconfig.get_paths()['purelib'])
# Modules and distributions of each codebase, as their names begin.
NAMES = {
    'mmdet': ('mmdet', 'onedl_mmdetection'),
    'mmpretrain': ('mmpretrain', 'onedl_mmpretrain'),
    'mmrazor': ('mmrazor',),
    'mmseg': ('mmseg', 'onedl_mmsegmentation'),
}


class Environment:
    """An environment with the wheel; commands run outside the checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / 'bin'

    def __call__(
        self, *command: object, cwd: Path, status: int = 0
    ) -> subprocess.CompletedProcess:
        """Run a program of the environment in a folder."""
        program, *words = map(str, command)
        env = dict(os.environ, OMP_NUM_THREADS='1', MPLBACKEND='agg')
        env.pop('PYTHONPATH', None)
        env['PATH'] = f'{self.bin}{os.pathsep}{env["PATH"]}'
        done = subprocess.run(
            [str(self.bin / program), *words],
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            timeout=1800,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done


@pytest.fixture(scope='session')
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, for building writes into its folder."""
    folder = tmp_path_factory.mktemp('source') / 'mmmgd'
    ignore = shutil.ignore_patterns(
        *('.git', '.venv*', '__pycache__', '.*_cache', '*.egg-info'),
        *('build', 'dist', 'data', 'work_dirs'),
    )
    shutil.copytree(ROOT, folder, symlinks=True, ignore=ignore)
    # Not the folder of that name in the root, which holds data sets.
    shutil.copytree(ROOT / 'tests' / 'data', folder / 'tests' / 'data')
    return folder


@pytest.fixture(scope='session')
def dist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``python -m build`` makes: the sdist, and from it the wheel."""
    pytest.importorskip('build')
    out = tmp_path_factory.mktemp('dist')
    subprocess.run(
        [sys.executable, '-m', 'build', '--no-isolation', '--outdir', out]
        + [source],
        check=True,
        capture_output=True,
        text=True,
    )
    return out


@pytest.fixture(scope='session')
def wheel(dist: Path) -> Path:
    """The wheel, built from the sdist."""
    (file,) = dist.glob('*.whl')
    return file


@pytest.fixture(scope='session')
def environment(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Environment]:
    """A factory of environments with the wheel and some codebases."""
    made: dict[tuple[str, ...], Environment] = {}

    def make(*codebases: str) -> Environment:
        if codebases not in made:
            folder = tmp_path_factory.mktemp('environment')
            made[codebases] = _make(folder, wheel, codebases)
        return made[codebases]

    return make


def _make(
    folder: Path, wheel: Path, codebases: tuple[str, ...]
) -> Environment:
    subprocess.run(
        [sys.executable, '-m', 'venv', '--without-pip', folder], check=True
    )
    subprocess.run(
        [sys.executable, '-m', 'pip', '--python', folder / 'bin' / 'python']
        + ['install', '--quiet', '--no-deps', '--no-index', wheel],
        check=True,
    )
    hidden = ['mmmgd', '__editable__', '__pycache__', '_virtualenv']
    for name, starts in NAMES.items():
        hidden += [] if name in codebases else starts
    (inside,) = folder.glob('lib/python3*/site-packages')
    libraries = folder / 'libraries'
    libraries.mkdir()
    for path in SITE.iterdir():
        if not path.name.startswith((*hidden, '__editable__')):
            (libraries / path.name).symlink_to(path)
    (inside / 'libraries.pth').write_text(f'{libraries}\n')
    return Environment(folder)
