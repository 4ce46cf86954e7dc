"""A compiled mmcv: where it is looked for, and what is done without one.

Pages are served on this machine; a shell script plays the environment.
"""

import importlib
import platform
import socket
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

DEV = Path(__file__).resolve().parents[1] / 'tools' / 'dev'
sys.path.insert(0, str(DEV))
installer, operators, shell, wanted, wheels = map(
    importlib.import_module,
    ('install', 'operators', 'shell', 'wanted', 'wheels'),
)
PIN = 'onedl-mmcv==2.3.6'
WHEEL = f'onedl_mmcv-2.3.6-cp312-cp312-manylinux_2_28_{platform.machine()}.whl'


@pytest.fixture
def closed() -> str:
    """The address of a port at which nobody listens."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return f'http://127.0.0.1:{s.getsockname()[1]}/index.html'


@pytest.fixture
def served(tmp_path):
    """A page with wheels, and the list of what was asked of it."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    folder = tmp_path / 'cpu-torch2100'
    folder.mkdir()
    names = [
        WHEEL.replace('2.3.6', '2.3.5'),
        WHEEL.replace('cp312', 'cp311'),
        WHEEL,
    ]
    links = [f'<a href="../files/{n}#sha256=0">{n}</a><br>' for n in names]
    (folder / 'index.html').write_text('<html>' + ''.join(links))
    server = ThreadingHTTPServer(
        ('127.0.0.1', 0), partial(Handler, directory=str(tmp_path))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}/cpu-torch2100/', asked
    server.shutdown()


@pytest.mark.parametrize(
    ('link', 'fine'),
    [
        (WHEEL, True),
        (f'https://x.y/cu129-torch2100/{WHEEL}#sha256=1', True),
        (WHEEL.replace('2.3.6', '2.3.6%2Btorch2.10.0cpu'), True),
        (f'https://x.y/cu129-torch2110/{WHEEL}', False),
        (WHEEL.replace('2.3.6', '2.3.60'), False),
        (WHEEL.replace('cp312-cp312', 'cp313-cp313'), False),
        (WHEEL.replace('onedl_', ''), False),
        (WHEEL.replace(platform.machine(), 's390'), False),
        (WHEEL.replace('manylinux_2_28', 'win'), False),
        ('onedl_mmcv-2.3.6.tar.gz', False),
    ],
)
def test_which_wheels_fit(link, fine):
    assert wheels.fits(link, PIN) == fine


def test_a_page_is_asked_once(served):
    page, asked = served
    found = wheels.find_wheel(f'{page}index.html', PIN)
    host = page.removesuffix('cpu-torch2100/')
    assert found == f'{host}files/{WHEEL}#sha256=0'
    assert asked == ['/cpu-torch2100/index.html']
    assert wheels.find_wheel(f'{page}nothing.html', PIN) == ''


def test_the_page_is_of_the_cpu_or_of_a_gpu_now_or_later(monkeypatch):
    monkeypatch.setenv('PATH', '')
    monkeypatch.delenv('FORCE_CUDA', raising=False)
    assert '/cpu-torch2100/' in wheels.default_page()
    monkeypatch.setenv('FORCE_CUDA', '1')
    assert '/cu129-torch2100/' in wheels.default_page()


def test_a_folder_is_a_page(tmp_path):
    assert wheels.find_wheel(str(tmp_path), PIN) == ''
    (tmp_path / WHEEL).touch()
    assert wheels.find_wheel(str(tmp_path), PIN) == str(tmp_path / WHEEL)


def test_an_unreachable_page_has_no_wheel(closed):
    assert wheels.find_wheel(closed, PIN) == ''
    assert wheels.find_wheel('nonsense://', PIN) == ''


def test_a_silent_page_is_not_waited_for(monkeypatch):
    """It takes the connection and says nothing, as some firewalls do."""
    monkeypatch.setattr(wheels, 'SECONDS', 0.2)
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen()
        page = f'http://127.0.0.1:{server.getsockname()[1]}/'
        assert wheels.find_wheel(page, PIN) == ''


@pytest.fixture
def python312(tmp_path, monkeypatch) -> str:
    """A Python 3.12 on PATH, and this one another, whatever it is."""
    file = tmp_path / 'bin' / 'python3.12'
    file.parent.mkdir()
    file.write_text('#!/bin/sh\n')
    file.chmod(0o755)
    monkeypatch.setenv('PATH', str(file.parent))
    monkeypatch.setattr(installer.sys, 'version_info', (3, 11, 7))
    return str(file)


def test_python_312_is_taken_where_there_is_a_wheel(
    served, closed, python312, tmp_path
):
    page, venv, here = served[0], tmp_path / 'venv', (3, 11)
    python, version, wheel = installer.choose(venv, page, False)
    assert (python, version) == (python312, (3, 12))
    assert wheel.endswith(f'{WHEEL}#sha256=0')
    # Nothing changes without a wheel, or where Python has been chosen.
    mine = (sys.executable, here, '')
    assert installer.choose(venv, closed, False) == mine
    assert installer.choose(venv, page, True) == mine
    Path(python312).write_text('#!/bin/sh\nexit 1\n')
    assert installer.choose(venv, page, False) == mine


def test_an_environment_keeps_its_python(served, python312, tmp_path):
    venv = tmp_path / 'venv'
    (venv / 'bin').mkdir(parents=True)
    (venv / 'bin' / 'python').symlink_to(sys.executable)
    (venv / 'pyvenv.cfg').write_text('version = 3.10.4\n')
    chosen = installer.choose(venv, served[0], False)
    assert chosen == (sys.executable, (3, 10), '')
    assert served[1] == []


def test_either_torch_is_complete(tmp_path):
    for ready in (False, True):
        venv = tmp_path / str(ready)
        (venv / 'bin').mkdir(parents=True)
        (venv / 'bin' / 'python').symlink_to(sys.executable)
        (venv / 'pyvenv.cfg').write_text('version = 3.12.1\n')
        key = wanted.wanted_key('onedl', (3, 12), ready=ready)
        (venv / wanted.STAMP).write_text(key)
        assert wanted.is_complete(venv, 'onedl', (3, 12), False)
        assert not wanted.is_complete(venv, 'onedl', (3, 11), False)


FAKE_PYTHON = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
case "$*" in
  *is_available*) exit GPU ;;
  *nms*) echo 'ImportError: no _ext'; exit PROOF ;;
  *install*) exit INSTALL ;;
esac
"""


@pytest.mark.parametrize(
    ('gpu', 'install', 'proof', 'fine'),
    [(1, 0, 0, True), (0, 0, 0, True), (1, 1, 0, False), (1, 0, 1, False)],
)
def test_a_wheel_is_proved_on_every_device(
    tmp_path, gpu, install, proof, fine, capsys
):
    text = FAKE_PYTHON.replace('GPU', str(gpu))
    text = text.replace('INSTALL', str(install))
    python = tmp_path / 'bin' / 'python'
    python.parent.mkdir()
    python.write_text(text.replace('PROOF', str(proof)))
    python.chmod(0o755)
    pin = tmp_path / 'mmcv.txt'
    pin.write_text(f'{PIN}\n')

    assert operators.install_wheel(shell.Shell(tmp_path), pin, WHEEL) == fine

    calls = (tmp_path / 'bin' / 'calls').read_text()
    assert f'--no-deps --force-reinstall {WHEEL}' in calls
    if not install:
        devices = 'cpu' if gpu else 'cpu cuda'
        assert f'{PIN} {devices}\n' in calls
    assert ('does not fit' in capsys.readouterr().out) == (not fine)
