"""A signal to one process of two, or to all, in training and validation.

Both are forked from this process, which has imported everything; each runs
tools/train.py as torchrun would start it.
"""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from small_models import distiller

from mmmgd.checkpoints.reading import read_file

pytest.importorskip('mmpretrain')
pytestmark = [
    pytest.mark.usefixtures('in_project'),
    pytest.mark.skipif(torch.cuda.is_available(), reason='forks'),
]
SLOW = pytest.mark.slow
ROOT = Path(__file__).parents[2]

# Distillation on the project's images; three steps an epoch, workers.
CONFIG = """
_base_ = 'tiny.py'
model = {model!r}
model['_delete_'] = True
pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
loader = dict(
    num_workers=1, persistent_workers=True, dataset=dict(pipeline=pipeline))
train_dataloader = loader
val_dataloader = loader
custom_imports = None
custom_hooks = [dict(type='SendsSignal', where='{where}', to='{to}')]
train_cfg = dict(by_epoch=True, max_epochs=4, val_interval=1)
default_hooks = dict(
    checkpoint=dict(interval=4), distill=dict(type='mmmgd.DistillHook'))
"""


@HOOKS.register_module(force=True)
class SendsSignal(Hook):
    """Sends SIGTERM, in the second step or the first validation."""

    def __init__(self, where, to):
        self.where, self.to = where, to
        self.sent = False

    def after_train_iter(self, runner, batch_idx, *args, **kwargs):
        if runner.iter == 1:
            self._send(runner, 'train')

    def after_val_iter(self, runner, batch_idx, *args, **kwargs):
        self._send(runner, 'val')

    def before_save_checkpoint(self, runner, checkpoint):
        if self.where == 'save':
            time.sleep(3.5)  # a second signal before is taken for the first
            os.kill(os.getpid(), signal.SIGTERM)

    def _send(self, runner, where):
        if self.sent or where != self.where.replace('save', 'train'):
            return
        self.sent = True
        if self.to == 'group':  # each its own, with its workers
            # Not by this process: its signals end the workers.
            subprocess.run(['kill', '-TERM', '--', f'-{os.getpgid(0)}'])
            time.sleep(1)
        elif runner.rank == int(self.to):
            os.kill(os.getpid(), signal.SIGTERM)


def _main(train, rank, port, argv, log):
    os.setpgid(0, 0)
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2',
        LOCAL_WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=port,
    )  # fmt: skip
    with open(log, 'w') as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    sys.stdout, sys.stderr = os.fdopen(1, 'w'), os.fdopen(2, 'w')
    train.main(argv)


@pytest.fixture
def two(train, project, tmp_path):
    """Run both processes; return their exit codes."""

    def _run(where, to, *argv):
        text = CONFIG.format(model=distiller(), where=where, to=to)
        (project / 'signalled.py').write_text(text)
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = str(s.getsockname()[1])
        argv = ['signalled.py', '--launcher', 'pytorch', *argv]
        argv += ['--work-dir', str(tmp_path / 'work')]
        context = multiprocessing.get_context('fork')
        ranks = [
            context.Process(
                target=_main,
                args=(train, rank, port, argv, tmp_path / f'{rank}.log'),
            )
            for rank in (0, 1)
        ]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join(200)
            process.kill()
        return [process.exitcode for process in ranks]

    return _run


@pytest.mark.parametrize(
    ('where', 'to'),
    [
        pytest.param('train', '0', marks=SLOW),
        ('train', '1'),
        pytest.param('train', 'group', marks=SLOW),
        pytest.param('val', '0', marks=SLOW),
        pytest.param('val', '1', marks=SLOW),
        ('val', 'group'),
        pytest.param('save', '0', marks=SLOW),
    ],
)
def test_all_save_together_and_leave(two, tmp_path, where, to):
    codes = two(where, to)
    log = (tmp_path / '0.log').read_text()
    assert codes == [143, 143], log[-3000:]
    file = read_file(str(tmp_path / 'work' / 'interrupted.pth'))
    assert len(file['mmmgd']['run']['rng']) == 2
    # The step after that in which the signal came: the second, or the first
    # after the validation.
    assert file['meta']['iter'] == (5 if where == 'val' else 3)
    pointer = (tmp_path / 'work' / 'last_checkpoint').read_text()
    assert Path(pointer).name == 'interrupted.pth'
    assert not list((tmp_path / 'work').glob('*.part'))


@pytest.mark.slow
def test_the_rest_is_trained_after_that(two, tmp_path):
    assert two('train', '1') == [143, 143]
    codes = two('never', '0', '--resume')
    assert codes == [0, 0], (tmp_path / '0.log').read_text()[-3000:]
    file = read_file(str(tmp_path / 'work' / 'epoch_4.pth'))
    assert file['meta']['iter'] == 12
