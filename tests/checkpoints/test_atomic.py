"""Files are whole or absent, and an old one goes after the new one came."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from mmmgd.checkpoints.atomic import AtomicBackend, write_json


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'a' / 'x.pth'
    backend = AtomicBackend()
    backend.put(b'old', path)

    def full(fd):
        raise OSError('No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='No space'):
        backend.put(b'new and longer', path)
    assert path.read_bytes() == b'old'
    monkeypatch.undo()
    backend.put(b'new', path)
    assert path.read_bytes() == b'new'
    assert os.listdir(tmp_path / 'a') == ['x.pth']  # no temporary


def test_a_full_disk_leaves_no_part_and_names_file_and_size(tmp_path):
    """A real limit, in a process of its own: 64 kB a file."""
    program = (
        'import resource, sys\n'
        'from mmmgd.checkpoints.atomic import write\n'
        'resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))\n'
        'write(sys.argv[1], bytes(1 << 17))\n'
    )
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(b'old')
    done = subprocess.run(
        [sys.executable, '-c', program, str(path)],
        capture_output=True,
        text=True,
    )
    assert f"'{path}' (131072 bytes) could not be written" in done.stderr
    assert os.listdir(tmp_path) == ['epoch_1.pth']
    assert path.read_bytes() == b'old'


def test_nothing_is_left_of_a_write_that_ctrl_c_ends(tmp_path, monkeypatch):
    def interrupt(fd):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'fsync', interrupt)
    with pytest.raises(KeyboardInterrupt):
        AtomicBackend().put(b'new', tmp_path / 'x.pth')
    assert os.listdir(tmp_path) == []


def test_numbers_of_numpy_and_torch_are_json(tmp_path):
    numbers = {'a': np.float32(0.5), 'b': torch.arange(2), 'c': 1}
    write_json(tmp_path / 'x' / 'n.json', numbers)
    text = (tmp_path / 'x' / 'n.json').read_text()
    assert json.loads(text) == {'a': 0.5, 'b': [0, 1], 'c': 1}


def test_a_file_is_removed_once_the_next_is_there(tmp_path):
    one, two = tmp_path / 'epoch_1.pth', tmp_path / 'epoch_2.pth'
    backend = AtomicBackend()
    backend.put(b'1', one)
    backend.remove(one)
    assert one.is_file()
    AtomicBackend().put(b'2', two)  # MMEngine makes a new one for each file
    assert not one.exists()
    # A best file may be written again under the name that was removed.
    backend.remove(two)
    AtomicBackend().put(b'3', two)
    assert two.read_bytes() == b'3'


def test_a_run_keeps_the_last_file_until_the_next_is_written(
    run, runner_cfg, distiller_cfg, tmp_path, monkeypatch
):
    """With one file to keep, MMEngine alone would remove it first."""
    seen = []
    replace = os.replace

    def spy(part, path):
        names = sorted(p.name for p in (tmp_path / 'work').glob('*.pth*'))
        if os.path.basename(path).startswith('epoch'):
            seen.append([n for n in names if n.startswith('epoch')])
        replace(part, path)

    cfg = runner_cfg(distiller_cfg(), epochs=2)
    cfg.default_hooks.checkpoint.update(max_keep_ckpts=1, save_best=None)
    monkeypatch.setattr('mmmgd.checkpoints.atomic.os.replace', spy)
    run(cfg)
    part = f'{os.getpid()}.part'
    assert seen == [
        [f'epoch_1.pth.{part}'],
        ['epoch_1.pth', f'epoch_2.pth.{part}'],
    ]
    left = [p.name for p in (tmp_path / 'work').glob('epoch*')]
    assert left == ['epoch_2.pth']
