"""The Dockerfile, as far as it can be checked without building an image."""

import importlib
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEV = ROOT / 'tools' / 'dev'
sys.path.insert(0, str(DEV))
wanted, wheels = map(importlib.import_module, ('wanted', 'wheels'))
TEXT = (ROOT / 'Dockerfile').read_text('utf-8')


def instructions(text: str) -> list[tuple[str, list[str]]]:
    """Return each instruction with its words; continued lines are one."""
    lines = [x for x in text.splitlines() if not x.lstrip().startswith('#')]
    whole = re.sub(r'\\\n', ' ', '\n'.join(lines))
    return [(x.split()[0], x.split()[1:]) for x in whole.split('\n') if x]


ALL = instructions(TEXT)
COPIED = [
    source
    for name, words in ALL
    for source in words[:-1]
    if name == 'COPY' and not words[0].startswith('--from')
]


@pytest.fixture(scope='module')
def context(tmp_path_factory) -> Path:
    """What the build stage has of the checkout."""
    folder = tmp_path_factory.mktemp('context')
    ignored = shutil.ignore_patterns('__pycache__')
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / name, symlinks=True, ignore=ignored
            )
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def test_each_stage_exists_and_one_argument_chooses():
    froms = [words for name, words in ALL if name == 'FROM']
    stages = {words[2] for words in froms if words[1:2] == ['AS']}
    (default,) = [w[0] for n, w in ALL if n == 'ARG' and 'DEVICE' in w[0]]
    assert default == 'DEVICE=cpu'
    for device in ('cpu', 'cuda'):
        chosen = [w[0].replace('${DEVICE}', device) for w in froms]
        assert {f'build-{device}', f'run-{device}'} <= {*chosen} & stages
    (copied,) = [
        words[0]
        for name, words in ALL
        if name == 'COPY' and words[0].startswith('--from')
    ]
    assert copied == '--from=build' and 'build' in stages


def test_what_is_copied_is_sent_to_the_builder():
    text = (ROOT / '.dockerignore').read_text('utf-8')
    assert text.splitlines()[1] == '*'
    sent = {x[1:] for x in text.splitlines() if x.startswith('!')}
    assert sent == {*COPIED}


def test_each_command_exists(context):
    runs = ' '.join(' '.join(w) for name, w in ALL if name == 'RUN')
    target, python, venv = re.search(r'make (install \S+ \S+)', runs)[
        1
    ].split()
    planned = subprocess.run(
        ['make', '-n', target, f'PYTHON={sys.executable}', venv],
        cwd=context,
        capture_output=True,
        text=True,
    )
    assert planned.returncode == 0, planned.stderr
    words = planned.stdout.replace('\\\n', ' ').split()
    assert words[words.index('--venv') + 1] == '"/opt/mmmgd"'
    assert python == 'PYTHON=python{}.{}'.format(*wheels.PYTHON)
    for ready in (False, True):
        files = wanted.requirement_files('onedl', context, ready=ready)
        assert [p for p in files.values() if not p.is_file()] == []
    found = re.findall(r'python -m (\w+) (\w+)', runs)
    assert found == [('pip', 'wheel'), ('pip', 'install'), ('mmmgd', 'doctor')]


@pytest.mark.slow
def test_its_wheel_is_the_one_that_is_published(context, wheel, tmp_path):
    subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-index']
        + ['--no-build-isolation', '--quiet', '-w', tmp_path, context],
        check=True,
    )
    (mine,) = tmp_path.glob('mmmgd-*.whl')
    assert mine.name == wheel.name
    held = [
        {x.filename: x.CRC for x in zipfile.ZipFile(file).infolist()}
        for file in (mine, wheel)
    ]
    record = f'{"-".join(wheel.name.split("-")[:2])}.dist-info/RECORD'
    for names in held:
        names.pop(record)
    assert held[0] == held[1]


def test_versions_are_those_of_the_requirement_files():
    numbers = '{}.{}'.format(*wheels.PYTHON)
    assert {*re.findall(r'python(3[.\d]*\d)', TEXT)} == {numbers}
    pin = (ROOT / 'requirements/onedl-torch.txt').read_text('utf-8')
    torch = re.search(r'^torch==(\S+)', pin, re.M)[1]
    tags = {*re.findall(r'nvidia/cuda:([\d.]+)-', TEXT)}
    assert len(tags) == 1
    if metadata.version('torch') != torch:
        pytest.skip(f'needs torch {torch}')
    needs = ' '.join(metadata.requires('torch'))
    assert re.findall(r'cuda-toolkit\S*==([\d.]+)', needs) == [*tags]


def test_arguments_of_the_page_are_those_of_the_file():
    page = (ROOT / 'docs' / 'clusters.md').read_text('utf-8')
    named = {*re.findall(r'`(?:docker .*--build-arg )?([A-Z_]+)=', page)}
    known = {w[0].partition('=')[0] for name, w in ALL if name == 'ARG'}
    assert known <= named


def test_no_index_of_packages_is_named():
    assert '://' not in TEXT
