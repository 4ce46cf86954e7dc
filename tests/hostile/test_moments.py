"""Signals, full disks, other processes and clocks, at bad moments."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from cases import ROOT, Case, play, table
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

pytest.importorskip('mmpretrain')
DAY = 86400
CLOCK = time.time


@HOOKS.register_module(force=True)
class AtMoment(Hook):
    """Sends signals to this process, or moves its clock."""

    priority = 'VERY_LOW'

    def __init__(self, event, number=1, times=1, clock=None):
        self.event, self.number, self.times = event, number, times
        self.clock = clock

    def _come(self, event, runner):
        if event != self.event or (event == 'step' and runner.iter != 1):
            return
        if self.clock is not None:
            time.time = lambda: CLOCK() + self.clock
        else:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)
                time.sleep(0.1)

    def before_train(self, runner):
        self._come('start', runner)

    def after_train_iter(self, runner, *args, **kwargs):
        self._come('step', runner)

    def before_train_epoch(self, runner):
        self._come('epoch', runner)

    def after_val_iter(self, runner, *args, **kwargs):
        self._come('validation', runner)

    def before_save_checkpoint(self, runner, checkpoint):
        self._come('save', runner)

    def after_train(self, runner):
        self._come('end', runner)


@pytest.fixture(autouse=True)
def _clock():
    yield
    time.time = CLOCK


def _at(event, number=signal.SIGINT, **more):
    arguments = dict(event=event, number=int(number), **more)
    return f"custom_hooks = [dict(type='AtMoment', **{arguments!r})]"


def _left(step):
    """It said so, left, and what it saved can be resumed to the same end."""

    def good(scene):
        assert scene.state('interrupted.pth')['meta']['iter'] == step
        assert not list(scene.work.glob('*.part'))
        scene.write()
        assert scene.train('--resume') == 0, scene.text[-2000:]
        cut = scene.state()['state_dict']
        assert scene.train('--work-dir', 'whole') == 0
        whole = torch.load('whole/epoch_1.pth', weights_only=False)
        for key, value in whole['state_dict'].items():
            assert torch.equal(value, cut[key]), key

    return good


def _ends(status):
    """Train; 0 if it ended with this status."""
    return lambda s: abs(s.train() - status)


def _whole(scene):
    assert scene.state()['meta']['iter'] == 3
    assert not list(scene.work.glob('*.part'))


def _fails(times, error):
    """Let the first attempts to write to the disk fail."""

    def before(scene):
        real, count = os.fsync, iter(range(times))

        def fsync(descriptor):
            if next(count, None) is not None:
                raise error
            real(descriptor)

        scene.patch.setattr('os.fsync', fsync)

    return before


def _interrupted_write(scene):
    real, count = os.fsync, iter(range(1))

    def fsync(descriptor):
        if next(count, None) is not None and scene.steps:
            os.kill(os.getpid(), signal.SIGINT)
        real(descriptor)

    scene.patch.setattr('os.fsync', fsync)


def _held(scene):
    """Let another process train in the work dir."""
    program = (
        'import sys, time\n'
        'from mmmgd.checkpoints.lock import take\n'
        'take("work"); print("held", flush=True); time.sleep(100)\n'
    )
    other = subprocess.Popen(
        [sys.executable, '-c', program],
        stdout=subprocess.PIPE,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )
    assert other.stdout.readline() == b'held\n'
    status = scene.train()
    other.kill()
    other.wait()
    return status


def _after_it(scene):
    """The lock of the dead is taken over."""
    assert _held(scene) == 1
    assert 'is in use' in scene.text
    return scene.train()


FULL = OSError(errno.ENOSPC, 'No space left on device')


@table(
    Case('Ctrl-C in a step', config=_at('step'), good=_left(2), fast=True,
         tool=_ends(130)),
    Case('SIGTERM in a step', config=_at('step', signal.SIGTERM),
         tool=_ends(143), good=_left(2)),
    Case('SIGTERM twice, as launchers send it', tool=_ends(143),
         config=_at('step', signal.SIGTERM, times=2), good=_left(2)),
    Case('Ctrl-C as the first epoch begins', config=_at('epoch'),
         tool=_ends(130), good=_left(1)),
    Case('Ctrl-C in the last validation', config=_at('validation'),
         good=_whole),
    Case('Ctrl-C while a checkpoint is made', config=_at('save'), good=_whole),
    Case('Ctrl-C while it is written', before=_interrupted_write,
         good=_whole),
    Case('Ctrl-C when all is done', config=_at('end'), good=_whole),
    Case('a full disk at the first checkpoint', before=_fails(99, FULL),
         steps=3, told=r'bytes\) could not be written: No space left'),
    Case('a disk that fails', steps=3, told='could not be written: Input',
         before=_fails(99, OSError(errno.EIO, 'Input/output error'))),
    Case('the clock jumps back a day', good=_whole,
         config=_at('step', clock=-DAY)),
    Case('the clock jumps ahead by a year', good=_whole,
         config=_at('step', clock=365 * DAY)),
    Case('the clock jumps to 1970', good=_whole,
         config=_at('epoch', clock=-CLOCK() + 1)),
    Case('the clock went back before a resume', good=_whole,
         config=_at('step'), tool=lambda s: [
             s.train(), s.write(_at('start', clock=-DAY)),
             s.train('--resume')][-1]),
    Case('another process trains there', tool=_held, fast=True,
         told=r"work dir '.*work' is in use: process \d+ on"),
    Case('it was killed', tool=_after_it, good=_whole),
)  # fmt: skip
def test_it(scene, case):
    play(scene, case)
