"""The installer: its checks, its memory, and what it refuses to do.

Nothing is downloaded.
"""

import ast
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DEV = ROOT / 'tools' / 'dev'
sys.path.insert(0, str(DEV))
checks, installer, shell, wanted = map(
    importlib.import_module, ('checks', 'install', 'shell', 'wanted')
)
HERE = sys.version_info[:2]


def run_installer(venv, *args, **env):
    """Runs the real installer; returns (exit status, stdout, stderr)."""
    command = [sys.executable, str(DEV / 'install.py'), '--venv', str(venv)]
    done = subprocess.run(
        # Nobody is asked for a compiled mmcv.
        [*command, '--page', str(DEV), *args],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
    )
    return done.returncode, done.stdout, done.stderr


def make_venv(path, *dists, version=HERE):
    """Makes what an environment looks like from outside."""
    site = path / 'lib' / f'python{checks.dotted(version)}' / 'site-packages'
    for dist in dists:
        (site / f'{dist}.dist-info').mkdir(parents=True)
    (path / 'bin').mkdir(parents=True)
    (path / 'bin' / 'python').symlink_to(sys.executable)
    (path / 'pyvenv.cfg').write_text(f'version = {checks.dotted(version)}.1\n')
    return path


@pytest.mark.parametrize(
    ('stack', 'version', 'fine'),
    [
        ('onedl', (3, 9), False),
        ('onedl', (3, 10), True),
        ('onedl', (3, 12), True),
        ('onedl', (3, 13), False),
        ('openmmlab', (3, 11), True),
        ('openmmlab', (3, 12), False),
    ],
)
def test_python_version(stack, version, fine):
    problem = checks.python_problem(stack, version)

    assert fine == (problem == '')
    if not fine:
        assert f'but got {checks.dotted(version)}; run: make' in problem


@pytest.mark.parametrize(
    'path', sorted(DEV.glob('*.py')), ids=lambda p: p.name
)
def test_an_old_python_can_read_the_installer(path):
    ast.parse(path.read_text(), feature_version=(3, 7))


def test_compiler(tmp_path):
    env = {'PATH': str(tmp_path)}
    assert 'apt-get install g++' in checks.compiler_problem(env)

    (tmp_path / 'g++').write_text('#!/bin/sh\n')
    (tmp_path / 'g++').chmod(0o755)
    assert checks.find_compiler(env) == 'g++'
    assert checks.find_compiler({**env, 'CXX': 'icpx'}) == ''
    assert 'python3-dev' in checks.compiler_problem(env, str(tmp_path))


def test_no_compiler_ends_before_anything_is_made(tmp_path):
    venv = tmp_path / 'venv'
    status, _, err = run_installer(venv, PATH=str(tmp_path), CXX='')

    assert status == 1
    assert err.count('\n') == 1 and 'C++ compiler' in err
    assert not venv.exists()


def test_disk(tmp_path):
    folder = tmp_path / 'not' / 'yet' / 'there'

    assert checks.disk_problem(folder, 0) == ''
    problem = checks.disk_problem(folder, 1e9)
    assert 'expected 1e+09 GB' in problem and str(tmp_path) in problem


def test_key_follows_the_content_of_the_requirement_files(tmp_path):
    shutil.copytree(ROOT / 'requirements', tmp_path / 'requirements')
    shutil.copy(ROOT / 'setup.py', tmp_path)
    key = wanted.wanted_key('onedl', (3, 11), tmp_path)
    assert key == wanted.wanted_key('onedl', (3, 11), ROOT)
    assert key != wanted.wanted_key('openmmlab', (3, 11), tmp_path)
    assert key != wanted.wanted_key('onedl', (3, 12), tmp_path)

    other = tmp_path / 'requirements' / 'openmmlab-mmcv.txt'
    other.write_text('mmcv==2.1.1\n')
    assert key == wanted.wanted_key('onedl', (3, 11), tmp_path)
    (tmp_path / 'requirements' / 'onedl-mmcv.txt').write_text('x==1\n')
    assert key != wanted.wanted_key('onedl', (3, 11), tmp_path)


def test_current_environment_is_left_alone(tmp_path):
    venv = make_venv(tmp_path / 'venv')
    stamp = venv / wanted.STAMP
    stamp.write_text(wanted.wanted_key('onedl', HERE))

    status, out, _ = run_installer(venv)
    assert (status, out) == (0, f'{venv} is up to date (onedl stack)\n')

    stamp.write_text('older')
    assert not wanted.is_current(venv, 'newer')


def test_a_light_environment_has_no_codebase(tmp_path):
    light = wanted.requirement_files('onedl', light=True)
    text = '\n'.join(path.read_text() for path in light.values())
    assert 'torch==' in text and 'mmengine==' in text
    assert not re.search(r'^\S*mm(cv|det|seg|pretrain|razor)', text, re.M)
    # What it holds is a part of the whole.
    files = wanted.requirement_files('onedl')
    assert light.items() < files.items()


def test_a_light_environment_is_remembered_as_such(tmp_path):
    venv = make_venv(tmp_path / 'venv')
    key = wanted.wanted_key('onedl', HERE, light=True)
    (venv / wanted.LIGHT_STAMP).write_text(key)

    status, out, _ = run_installer(venv, '--light')
    assert (status, out) == (0, f'{venv} is up to date (onedl stack)\n')
    # The whole stack is still missing: without a compiler, it says so.
    status, out, err = run_installer(venv, PATH=str(tmp_path), CXX='')
    assert (status, out) == (1, '') and 'C++ compiler' in err

    (venv / wanted.LIGHT_STAMP).unlink()
    (venv / wanted.STAMP).write_text(wanted.wanted_key('onedl', HERE))
    assert run_installer(venv, '--light')[0] == 0


def test_stacks_are_never_mixed(tmp_path):
    venv = make_venv(tmp_path / 'venv', 'mmcv-2.1.0', 'mmrazor-1.0.0')

    status, _, err = run_installer(venv, '--stack', 'onedl')

    assert status == 1 and err.count('\n') == 1
    assert 'holds the openmmlab stack' in err
    assert 'make install STACK=onedl VENV=.venv-onedl' in err
    assert checks.stack_problem(venv, 'openmmlab') == ''


def test_places_and_names_that_cannot_be_used(tmp_path):
    folder = tmp_path / 'papers'
    folder.mkdir()
    assert 'no virtual environment' in run_installer(folder)[2]

    status, _, err = run_installer(tmp_path / 'v', '--stack', 'mmlab')
    assert status == 1
    assert "expected STACK=onedl|openmmlab, but got 'mmlab'" in err

    venv = make_venv(tmp_path / 'venv', version=(3, 8))
    assert installer.version_of(venv, chosen=False) == (3, 8)
    with pytest.raises(shell.Problem, match=r'made with Python 3\.8'):
        installer.version_of(venv, chosen=True)


def test_make_without_python():
    env = {k: v for k, v in os.environ.items() if not k.startswith('M')}
    done = subprocess.run(
        ['make', 'install', 'PYTHON=python-of-mars'],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "there is no 'python-of-mars' on PATH" in done.stderr


def copy_project(folder):
    """Copies what the package is built from: building leaves files."""
    for name in ('requirements', 'mmmgd', 'configs', 'tools'):
        shutil.copytree(ROOT / name, folder / name, symlinks=True)
    for name in ('setup.py', 'pyproject.toml', 'model-index.yml'):
        shutil.copy(ROOT / name, folder)


def test_the_wheel_says_that_it_is_typed(tmp_path):
    copy_project(tmp_path)
    out = tmp_path / 'out'
    subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-index']
        + ['--no-build-isolation', '--quiet', '-w', str(out), str(tmp_path)],
        check=True,
    )
    (wheel,) = out.glob('*.whl')
    with zipfile.ZipFile(wheel) as archive:
        assert 'mmmgd/py.typed' in archive.namelist()


def test_installing_mmmgd_changes_nothing_else(tmp_path):
    copy_project(tmp_path)

    done = subprocess.run(
        [sys.executable, '-m', 'pip', 'install', '--dry-run', '--no-index']
        + ['--no-build-isolation', '--quiet', '--report', '-', str(tmp_path)],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    (only,) = json.loads(done.stdout)['install']
    assert only['metadata']['name'] == 'mmmgd'
    hard = [r for r in only['metadata']['requires_dist'] if 'extra' not in r]
    assert sorted(hard) == ['filelock', 'joblib', 'numpy', 'safetensors']
