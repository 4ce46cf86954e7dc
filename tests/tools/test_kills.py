"""kill -9 and --resume: the demo's run through tools/train.py.

Runs are forked from this process, which has imported everything: they take
seconds, and what is killed is a whole process.
"""

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS

from mmmgd.checkpoints.reading import read_file
from mmmgd.config import read_config

pytest.importorskip('mmpretrain')
pytestmark = [
    pytest.mark.usefixtures('in_project'),
    pytest.mark.skipif(torch.cuda.is_available(), reason='forks'),
]

ROOT = Path(__file__).parents[2]
DEMO = ROOT / 'configs' / 'demo'
EPOCHS = 4
CONFIG = """
_base_ = '{demo}/classification_mgd.py'
model = dict(teacher=dict(
    config='{demo}/classification_teacher.py', checkpoint='{teacher}'))
train_dataloader = dict(dataset=dict(data_root='{data}/train'))
val_dataloader = dict(dataset=dict(data_root='{data}/val', indices=100))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs={epochs}, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1, save_best='auto'))
"""
DIES = """
custom_imports = dict(imports=['dies_once'])
custom_hooks = [dict(type='DiesOnce', after={after})]
"""
# Measured over 14 of 16 steps.
AUTO = """
model['distill'] = dict(loss_mgd=dict(
    auto=dict(steps=14), loss=dict(loss_weight='auto')))
"""
DIES_ONCE = """
import os
import signal
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module(force=True)
class DiesOnce(Hook):
    def __init__(self, after):
        self.after = after

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.after:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope='module')
def demo(project):
    """Data, a teacher's file, and the demo's config for four epochs."""
    folder = project / 'demo'
    folder.mkdir()
    converter = ROOT / 'tools' / 'dataset_converters' / 'digits.py'
    subprocess.run(
        [sys.executable, converter, '--out', folder / 'data']
        + ['--train-per-class', '10'],
        check=True,
        timeout=120,
    )
    teacher = read_config(str(DEMO / 'classification_teacher.py'))
    teacher.model.data_preprocessor = teacher.data_preprocessor
    teacher.model['_scope_'] = 'mmpretrain'
    torch.manual_seed(0)
    torch.save(MODELS.build(teacher.model).state_dict(), folder / 't.pth')
    text = CONFIG.format(
        demo=DEMO, teacher=folder / 't.pth', data=folder / 'data', epochs=4
    )
    (folder / 'demo.py').write_text(text)
    # 4 steps an epoch: in the middle of the third
    (folder / 'dies.py').write_text(text + DIES.format(after=10))
    (project / 'dies_once.py').write_text(DIES_ONCE)
    (folder / 'auto.py').write_text(text + AUTO)
    (folder / 'auto_dies.py').write_text(text + AUTO + DIES.format(after=10))
    return folder


@pytest.fixture
def start(demo, train):
    """Start tools/train.py in a process of its own."""
    context = multiprocessing.get_context('fork')

    def _main(argv):
        os.environ.pop('LOCAL_RANK', None)
        with open(os.devnull, 'w') as null:
            os.dup2(null.fileno(), 1)
            os.dup2(null.fileno(), 2)
        train.main(argv)

    def _start(config, work_dir, *argv):
        argv = [str(demo / config), '--work-dir', str(work_dir), *argv]
        process = context.Process(target=_main, args=(argv,))
        process.start()
        return process

    return _start


def _finish(process):
    process.join(600)
    assert process.exitcode == 0


def _last(folder):
    return read_file(str(folder / f'epoch_{EPOCHS}.pth'))


def _assert_same(folder, expected):
    file = _last(folder)
    assert file['meta']['iter'] == expected['meta']['iter'] == 16
    for key, value in expected['state_dict'].items():
        assert torch.equal(file['state_dict'][key], value), key
    for key, value in expected['mmmgd']['state_dict'].items():
        assert torch.equal(file['mmmgd']['state_dict'][key], value), key
    streams = 'mask_streams'
    assert file['mmmgd'][streams] == expected['mmmgd'][streams]


def test_kill_9_in_the_third_epoch_and_a_teacher_that_moved(start, demo):
    """Four epochs, bit by bit; validated and best once more."""
    _finish(start('demo.py', demo / 'whole'))
    expected = _last(demo / 'whole')

    cut = start('dies.py', demo / 'cut')
    cut.join(600)
    assert cut.exitcode == -signal.SIGKILL
    left = {p.name for p in (demo / 'cut').glob('epoch_*')}
    assert left == {'epoch_1.pth', 'epoch_2.pth'}
    moved = shutil.copy(demo / 't.pth', demo / 'moved.pth')
    (demo / 't.pth').rename(demo / 'away')
    option = ['--cfg-options', f'model.teacher.checkpoint={moved}']
    try:
        _finish(start('demo.py', demo / 'cut', '--resume', *option))
    finally:
        (demo / 'away').rename(demo / 't.pth')
    _assert_same(demo / 'cut', expected)
    best = [
        {p.name for p in (demo / name).glob('best*')}
        for name in ('whole', 'cut')
    ]
    assert best[0] == best[1]


def test_kill_9_while_the_weight_is_measured(start, demo):
    _finish(start('auto.py', demo / 'auto'))
    expected = _last(demo / 'auto')
    cut = start('auto_dies.py', demo / 'auto_cut')
    cut.join(600)
    assert cut.exitcode == -signal.SIGKILL
    left = read_file(str(demo / 'auto_cut' / 'epoch_2.pth'))
    assert left['mmmgd']['auto_weights']['loss_mgd']['seen'] == 8
    _finish(start('auto.py', demo / 'auto_cut', '--resume'))
    _assert_same(demo / 'auto_cut', expected)
    weights = expected['mmmgd']['auto_weights']
    assert weights['loss_mgd']['seen'] == 14
    assert _last(demo / 'auto_cut')['mmmgd']['auto_weights'] == weights


@pytest.mark.slow
def test_kill_9_at_twenty_random_moments(start, demo):
    """Start-up, steps, validation, writing: whatever it hits."""
    begin = time.monotonic()
    _finish(start('demo.py', demo / 'timed'))
    duration = time.monotonic() - begin
    expected = _last(demo / 'timed')
    moments = random.Random(0)
    hit = set()
    for number in range(20):
        folder = demo / f'kill{number}'
        process = start('demo.py', folder, '--resume')
        process.join(moments.uniform(0.2, 1.0) * duration)
        process.kill()
        process.join()
        files = sorted(folder.glob('*.pth'))
        for path in files:  # none is half written
            read_file(str(path))
        hit.add(len(list(folder.glob('epoch_*.pth'))))
        _finish(start('demo.py', folder, '--resume'))
        _assert_same(folder, expected)
        print(f'kill {number}: after {len(files)} files; the same')
        shutil.rmtree(folder)
    assert len(hit) > 1  # not always in the same epoch
