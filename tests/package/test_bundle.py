"""``make bundle``: a folder from which pip installs without a network."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_a_new_environment_is_filled_from_the_bundle(source, tmp_path):
    bundle, venv = tmp_path / 'bundle', tmp_path / 'venv'
    command = [sys.executable, source / 'tools' / 'dev' / 'bundle.py']
    subprocess.run([*command, '--out', bundle], check=True)
    assert (bundle / 'configs' / 'detection').is_dir()

    subprocess.run([sys.executable, '-m', 'venv', venv], check=True)
    python = venv / 'bin' / 'python'
    subprocess.run(
        [python, '-I', '-m', 'pip', 'install', '--quiet', '--no-index']
        + ['--find-links', bundle / 'wheels', 'mmmgd'],
        check=True,
        cwd=tmp_path,
    )
    told = subprocess.run(
        [venv / 'bin' / 'mmmgd', 'doctor'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 1  # there is no torch, and it says so
    assert 'problem: torch is not installed' in told.stdout
    recipes = venv.glob('lib/python3*/site-packages/mmmgd/.mim/configs/*/*.py')
    assert len(list(recipes)) > 40

    again = subprocess.run(
        [*command, '--out', bundle], capture_output=True, text=True
    )
    assert again.returncode == 1 and 'exists; remove it' in again.stderr
