"""Work dirs in which somebody has trained: resumed, refused, or emptied."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_models import distiller

from mmmgd.checkpoints.latest import find_latest
from mmmgd.checkpoints.reading import CheckpointError

pytest.importorskip('mmpretrain')
pytestmark = pytest.mark.usefixtures('in_project')
ROOT = Path(__file__).parents[2]


@pytest.fixture
def copied(trained, tmp_path):
    """The work dir of a training of one epoch, without its pointer."""
    shutil.copytree(trained, tmp_path / 'work')
    (tmp_path / 'work' / 'last_checkpoint').unlink()
    return tmp_path / 'work'


def test_latest_checkpoint_of_a_moved_or_copied_folder(tmp_path, trained):
    old, new = tmp_path / 'old', tmp_path / 'new'
    old.mkdir()
    new.mkdir()
    (new / 'last_checkpoint').write_text(str(old / 'epoch_3.pth'))
    with pytest.raises(CheckpointError, match='epoch_3.pth.: does not exist'):
        find_latest(new)
    # CheckpointHook(out_dir=...)
    shutil.copy(trained / 'epoch_1.pth', old / 'epoch_3.pth')
    assert find_latest(new) == str(old / 'epoch_3.pth')
    shutil.copy(trained / 'epoch_1.pth', new / 'epoch_3.pth')
    assert find_latest(new) == str(new / 'epoch_3.pth')


def test_a_restart_goes_on_from_its_own_last_checkpoint(
    tmp_path, work_dir, monkeypatch
):
    """As torchrun --max-restarts starts it: first, and again."""
    pointer = tmp_path / 'last_checkpoint'
    pointer.write_text('of an older training')
    monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', '0')
    assert work_dir.after_restart('auto', tmp_path) == 'auto'
    assert pointer.is_file()
    monkeypatch.setenv('TORCHELASTIC_MAX_RESTARTS', '2')
    assert work_dir.after_restart('auto', tmp_path) == 'auto'
    assert pointer.is_file()
    assert work_dir.after_restart(None, tmp_path) is None
    assert not pointer.is_file()
    monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', '1')
    assert work_dir.after_restart('start.pth', tmp_path) == 'start.pth'
    pointer.write_text('of this one')
    assert work_dir.after_restart('start.pth', tmp_path) == 'auto'
    assert work_dir.after_restart(None, tmp_path) == 'auto'


def test_auto_resume_keeps_load_from_until_there_is_a_checkpoint(
    tmp_path, work_dir
):
    from mmengine.config import Config

    cfg = Config(dict(work_dir=str(tmp_path), load_from='start.pth'))
    work_dir.apply_resume(cfg, 'auto')
    assert (cfg.resume, cfg.load_from) == (False, 'start.pth')


def _train(train, folder, *argv, epochs=2):
    options = [f'experiment_name={folder.parent.name}-{len(argv)}-{epochs}']
    train.main(
        ['tiny.py', '--work-dir', str(folder), *argv, '--cfg-options']
        + [*options, f'train_cfg.max_epochs={epochs}']
    )


def test_resume_without_a_pointer_goes_on_from_the_newest_file(
    copied, train, rank_file
):
    best = torch.load(copied / 'epoch_1.pth', weights_only=False)
    best['meta']['iter'] = 99
    del best['optimizer']
    torch.save(best, copied / 'best_x.pth')  # of no use
    before = (copied / 'epoch_1.pth').read_bytes()
    _train(train, copied, '--resume')
    assert rank_file()['iter'] == 12
    assert (copied / 'epoch_1.pth').read_bytes() == before
    assert (copied / 'epoch_2.pth').is_file()


def test_random_bytes_in_the_pointer(copied, train, rank_file):
    (copied / 'last_checkpoint').write_bytes(bytes(range(256)) * 40)
    _train(train, copied, '--resume')
    assert rank_file()['iter'] == 12


@pytest.mark.parametrize('start', [[], ['--resume', 'elsewhere']])
def test_checkpoints_are_not_written_over(copied, train, trained, start):
    if start:
        start = ['--resume', str(trained / 'epoch_1.pth')]
    before = (copied / 'epoch_1.pth').read_bytes()
    with pytest.raises(SystemExit, match=r'1 checkpoints .*--overwrite'):
        _train(train, copied, *start)
    assert (copied / 'epoch_1.pth').read_bytes() == before
    _train(train, copied, *start, '--overwrite')
    assert (copied / 'epoch_1.pth').is_file() != bool(start)
    assert (copied / 'epoch_2.pth').is_file()


def test_a_damaged_file_is_overwritten_only_when_told(copied, train):
    (copied / 'epoch_1.pth').write_bytes(b'damaged')
    with pytest.raises(SystemExit, match='epoch_1.pth.*--overwrite'):
        _train(train, copied, '--resume')
    assert (copied / 'epoch_1.pth').read_bytes() == b'damaged'
    _train(train, copied, '--resume', '--overwrite', epochs=1)
    assert torch.load(copied / 'epoch_1.pth', weights_only=False)


def test_other_files_of_the_user_are_no_checkpoints(
    trained, tmp_path, train, rank_file
):
    shutil.copy(trained / 'epoch_1.pth', tmp_path / 'teacher.pth')
    _train(train, tmp_path, '--resume', epochs=1)
    assert rank_file()['iter'] == 6
    assert (tmp_path / 'teacher.pth').is_file()


def test_a_second_training_is_refused_while_one_runs(tmp_path, train, project):
    """A whole process holds the work dir; the other one leaves no trace."""
    holds = (
        'import sys, time\n'
        'from mmmgd.checkpoints.lock import take\n'
        'take(sys.argv[1]); print("held", flush=True); time.sleep(60)\n'
    )
    other = subprocess.Popen(
        [sys.executable, '-c', holds, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )
    try:
        assert other.stdout.readline() == b'held\n'
        with pytest.raises(SystemExit, match=f'process {other.pid} on '):
            _train(train, tmp_path, epochs=1)
        left = {path.name for path in tmp_path.iterdir()}
        assert left == {'.lock', '.lock.json'}
    finally:
        other.kill()
        other.wait()
    _train(train, tmp_path, epochs=1)  # the lock of the dead is taken over
    assert (tmp_path / 'epoch_1.pth').is_file()
    assert not (tmp_path / '.lock.json').exists()


@pytest.mark.parametrize('name', ['epoch_1.pth', 'last.pth'])
@pytest.mark.parametrize('key', ['load_from', 'model.teacher.checkpoint'])
def test_no_training_removes_what_it_begins_with(
    copied, train, project, name, key
):
    """`--overwrite`, and a teacher in the run's own folder; links, too."""
    (copied / 'last.pth').symlink_to('epoch_1.pth')
    before = (copied / 'epoch_1.pth').read_bytes()
    text = f"_base_ = 'tiny.py'\nmodel = {distiller()!r}\n"
    text += "model['_delete_'] = True\ncustom_imports = None\n"
    text += "default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))\n"
    (project / 'own.py').write_text(text + 'custom_hooks = []\n')
    config = 'own.py' if 'teacher' in key else 'tiny.py'
    argv = [config, '--work-dir', str(copied), '--overwrite']
    with pytest.raises(SystemExit, match=f"{key}='.*{name}' lies in the work"):
        train.main([*argv, '--cfg-options', f'{key}={copied / name}'])
    assert (copied / 'epoch_1.pth').read_bytes() == before
