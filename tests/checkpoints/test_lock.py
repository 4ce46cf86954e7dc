"""One training at a time in a work dir; that of the dead is taken over."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmmgd.checkpoints.lock import WorkDirInUseError, give_back, take

# Holds the lock; a child that it has forked outlives it by two seconds.
LINGERS = """
import os, signal, sys, time
from mmmgd.checkpoints.lock import take
take(sys.argv[1])
if os.fork() == 0:
    time.sleep(2)
    os._exit(0)
print('held', flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / 'work'
    give_back(tmp_path / 'work')


def test_a_fork_is_another_process(folder):
    take(folder)
    take(folder)  # the same one may: a run that failed is started again
    pid = os.fork()
    if pid == 0:
        try:
            take(folder)
        except WorkDirInUseError as error:
            os._exit(7 if f'process {os.getppid()} on' in str(error) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    give_back(folder)
    assert [p.name for p in folder.iterdir() if p.name != '.lock'] == []


def test_the_lock_of_the_dead_is_taken_over(folder, capsys):
    folder.mkdir()
    (folder / 'epoch_1.pth.123.part').write_bytes(b'half')
    done = subprocess.Popen(
        [sys.executable, '-c', LINGERS, str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, 'PYTHONPATH': str(Path(__file__).parents[2])},
    )
    assert done.stdout.readline() == b'held\n'
    done.wait()
    take(folder)
    holder = json.loads((folder / '.lock.json').read_text())
    assert holder['pid'] == os.getpid()
    assert not list(folder.glob('*.part'))


@pytest.mark.parametrize('text', ['', '[]', '{"pid": "x"}', '{"host": 3}'])
def test_a_note_that_is_damaged(folder, text):
    folder.mkdir()
    (folder / '.lock.json').write_text(text)
    take(folder)
    assert json.loads((folder / '.lock.json').read_text())['pid']
