"""mmcv's operators: the progress of compiling, the proof, the one rebuild.

A shell script plays the Python of the environment and writes down what it was
asked; nothing is downloaded or compiled.
"""

import importlib
import io
import socket
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools' / 'dev'))
installer, operators, shell = map(
    importlib.import_module, ('install', 'operators', 'shell')
)


def test_ninja_progress():
    line = '  [42/78] c++ -MMD -MF build/a.o.d -c a.cpp\n'
    assert operators.ninja_progress(line) == (42, 78)
    assert operators.ninja_progress('copying [1/2] files') == (0, 0)

    out = io.StringIO()
    show = operators.Progress(out)
    for done in range(1, 79):
        show(f'  [{done}/78] c++ x.cpp\n')
        show('some warning\n')
    lines = out.getvalue().splitlines()
    assert len(lines) == 21
    assert lines[0] == '    compiled   1 of 78 files'
    assert lines[-1].startswith('    compiled  78 of 78 files, ')


FAKE_PYTHON = """#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/calls"
case "$*" in
  *--only-binary*) exit 1 ;;
  *' wheel '*) mkdir -p "$here/../mmcv-wheel"
               touch "$here/../mmcv-wheel/mmcv.whl" ;;
  *is_available*) exit 1 ;;
  *nms*) built=$(grep -c '^-m pip.* wheel ' "$here/calls")
         [ "$built" -ge GOOD ] || { echo 'ImportError: no _ext'; exit 1; } ;;
esac
"""


def fake_environment(folder, good_after):
    (folder / 'bin').mkdir()
    python = folder / 'bin' / 'python'
    python.write_text(FAKE_PYTHON.replace('GOOD', str(good_after)))
    python.chmod(0o755)


@pytest.mark.parametrize('good_after', [0, 1, 2, 3])
def test_operators_that_do_not_load_are_rebuilt_once(tmp_path, good_after):
    fake_environment(tmp_path, good_after)
    requirement = tmp_path / 'mmcv.txt'
    requirement.write_text('mmcv==1  # pinned\n')

    if good_after <= 2:
        operators.ensure_operators(shell.Shell(tmp_path), requirement)
    else:
        with pytest.raises(shell.Problem, match='ImportError: no _ext'):
            operators.ensure_operators(shell.Shell(tmp_path), requirement)

    calls = (tmp_path / 'bin' / 'calls').read_text().splitlines()
    builds = [c for c in calls if c.startswith('-m pip') and ' wheel ' in c]
    assert len(builds) == min(good_after, 2)
    assert ['--no-cache-dir' in b for b in builds] == [False, True][
        : len(builds)
    ]


def test_behind_a_closed_port_it_compiles(tmp_path, capsys):
    fake_environment(tmp_path, good_after=1)
    (tmp_path / 'pyvenv.cfg').write_text('version = 3.12.1\n')
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))  # and nobody listens
        page = f'http://127.0.0.1:{s.getsockname()[1]}/index.html'
        assert installer.main(['--venv', str(tmp_path), '--page', page]) == 0
    said = capsys.readouterr().out
    found = [said.index(x) for x in (page, '- none: mmcv', "compiling mmcv's")]
    assert found == sorted(found)


def test_failing_pip_shows_the_end_of_its_log(tmp_path):
    (tmp_path / 'bin').mkdir()
    python = tmp_path / 'bin' / 'python'
    python.write_text('#!/bin/sh\necho "no such package"\nexit 1\n')
    python.chmod(0o755)

    with pytest.raises(shell.Problem, match='no such package'):
        shell.Shell(tmp_path).pip(['install', 'nonsense'])

    assert 'no such package' in (tmp_path / 'install.log').read_text()
