"""What the wheel and the sdist hold, and what they say of themselves."""

import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
import yaml

import mmmgd

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def committed(*folders: str) -> set[str]:
    """Return the files of folders that are under version control."""
    listed = subprocess.run(
        ['git', 'ls-files', '--cached', '--others', '--exclude-standard']
        + list(folders),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode or not listed.stdout:
        pytest.skip('needs the git repository')
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return {
        str(path.relative_to(ROOT))
        for path in paths
        if path.exists() and not path.is_symlink()
    }


def test_the_wheel_holds_configs_and_tools(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = {n for n in names if not n.startswith('mmmgd-')}
    wanted = committed('configs', 'tools', 'model-index.yml')
    wanted = {n for n in wanted if not n.startswith('tools/dev/')}
    assert package == {
        *committed('mmmgd'),
        *(f'mmmgd/.mim/{name}' for name in wanted),
    }


def test_the_sdist_holds_the_whole_project_once(dist):
    (file,) = dist.glob('*.tar.gz')
    with tarfile.open(file) as archive:
        names = [
            n for n in archive.getnames() if archive.getmember(n).isfile()
        ]
    names = {name.partition('/')[2] for name in names}
    made = {n for n in names if '.egg-info/' in n} | {'PKG-INFO', 'setup.cfg'}
    hidden = {n for n in committed('.') if n.startswith('.')}
    assert names - made == committed('.') - hidden
    assert 'tests/data/mgd.json' in names


def test_the_description_can_be_published(dist):
    done = subprocess.run(
        [sys.executable, '-m', 'twine', 'check', '--strict']
        + sorted(map(str, dist.iterdir())),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count('PASSED') == 2


def test_there_is_one_version(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith('/METADATA')]
        metadata = message_from_bytes(archive.read(name))
    assert metadata['Version'] == mmmgd.__version__
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['version'] == mmmgd.__version__
    newest = re.search(r'^## (\S+)', (ROOT / 'CHANGELOG.md').read_text(), re.M)
    assert newest[1] == mmmgd.__version__
