"""A resumed run is the unbroken one, bit by bit, on the CPU."""

import os
import signal
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmmgd.checkpoints.reading import CheckpointError

EPOCHS, LENGTH = 4, 4


@HOOKS.register_module(force=True)
class Trouble(Hook):
    """Ends a run after some iterations: by a signal, or without warning."""

    def __init__(self, after, signum=None):
        self.after, self.signum = after, signum

    def after_train_iter(self, runner, batch_idx, *args, **kwargs):
        if runner.iter + 1 == self.after:
            if self.signum is None:
                raise ConnectionAbortedError
            os.kill(os.getpid(), self.signum)


WHOLE = {}


@pytest.fixture
def unbroken(run, cfg_of):
    """An unbroken run with these workers; trained once for the module."""

    def _run(*workers):
        if workers not in WHOLE:
            WHOLE[workers] = run(cfg_of('whole', *workers))
        return WHOLE[workers]

    return _run


@pytest.fixture
def cfg_of(runner_cfg, distiller_cfg, tmp_path):
    """Four epochs of four steps, with augmentation, dropout and masks."""

    def _cfg(name, workers=0, persistent=False, **trouble):
        cfg = runner_cfg(
            distiller_cfg(), epochs=EPOCHS, work_dir=str(tmp_path / name)
        )
        cfg.train_dataloader.update(
            batch_size=12, num_workers=workers, persistent_workers=persistent
        )
        if trouble:
            cfg.custom_hooks = [dict(type='Trouble', **trouble)]
        return cfg

    return _cfg


def _assert_same(run, other):
    assert run.iter == other.iter
    state, expected = run.model.state_dict(), other.model.state_dict()
    assert state.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(state[key], value), key
    streams = [
        r.model.terms['loss_mgd'].connectors[0].mask_stream.state_dict()
        for r in (run, other)
    ]
    assert streams[0] == streams[1]
    assert streams[0]['draws'] == run.iter


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    'workers',
    [(0, False), pytest.param((2, False), marks=SLOW), (2, True)],
    ids=str,
)
def test_a_cut_in_the_third_epoch_changes_nothing(
    run, cfg_of, unbroken, workers
):
    with pytest.raises(ConnectionAbortedError):
        run(cfg_of('parts', *workers, after=2 * LENGTH + 2))
    parts = run(cfg_of('parts', *workers), resume=True)
    assert parts.iter == EPOCHS * LENGTH
    _assert_same(parts, unbroken(*workers))


@pytest.mark.parametrize(
    ('workers', 'signum'),
    [
        pytest.param((0, False), signal.SIGINT, marks=SLOW),
        ((2, True), signal.SIGTERM),
    ],
    ids=str,
)
def test_a_signal_saves_and_the_step_after_goes_on(
    run, cfg_of, unbroken, tmp_path, workers, signum
):
    """In the middle of an epoch; then a second time, in the next one."""
    for after in (LENGTH + 3, 2 * LENGTH + 1):
        with pytest.raises(SystemExit) as error:
            run(
                cfg_of('parts', *workers, after=after, signum=int(signum)),
                resume=True,
            )
        assert error.value.code == 128 + signum
        path = tmp_path / 'parts' / 'interrupted.pth'
        assert Path(path.with_name('last_checkpoint').read_text()) == path
        file = torch.load(path, weights_only=False)
        student = unbroken(*workers).model.student.state_dict()
        assert file['state_dict'].keys() == student.keys()
        meta = file['meta']
        assert (meta['epoch'], meta['iter']) == (after // LENGTH, after)
    parts = run(cfg_of('parts', *workers), resume=True)
    _assert_same(parts, unbroken(*workers))


@pytest.mark.parametrize(
    'workers', [pytest.param((0, False), marks=SLOW), (2, True)], ids=str
)
def test_training_by_iterations(run, cfg_of, workers):
    def by_iter(*args, **kwargs):
        cfg = cfg_of(*args, **kwargs)
        cfg.train_dataloader.sampler.type = 'InfiniteSampler'
        cfg.train_cfg = dict(by_epoch=False, max_iters=12, val_interval=5)
        cfg.default_hooks.checkpoint.update(by_epoch=False, interval=5)
        return cfg

    whole = run(by_iter('whole', *workers))
    with pytest.raises(ConnectionAbortedError):
        run(by_iter('parts', *workers, after=8))
    _assert_same(run(by_iter('parts', *workers), resume=True), whole)


def test_a_run_without_a_seed_in_its_config(run, cfg_of):
    """MMEngine draws one; order, augmentation and masks depend on it."""
    cfg = cfg_of('parts', after=2 * LENGTH + 2)
    cfg.randomness = dict(seed=None)
    with pytest.raises(ConnectionAbortedError):
        run(cfg)
    cfg = cfg_of('parts')
    cfg.randomness = dict(seed=None)
    parts = run(cfg, resume=True)
    cfg = cfg_of('whole')
    cfg.randomness = dict(seed=parts.seed)
    _assert_same(parts, run(cfg))


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-1000])


def test_a_truncated_file_is_skipped_for_the_one_before(run, cfg_of, tmp_path):
    whole = run(cfg_of('parts'))
    _truncate(tmp_path / 'parts' / 'epoch_4.pth')
    parts = run(cfg_of('parts'), resume=True)
    log = max((tmp_path / 'parts').glob('*/*.log'), key=os.path.getmtime)
    line = next(x for x in log.read_text().splitlines() if 'skipped' in x)
    assert 'epoch_4.pth' in line and 'truncated or damaged' in line
    _assert_same(parts, whole)


def test_no_usable_file_is_an_error_and_no_file_is_a_start(
    run, cfg_of, tmp_path
):
    folder = tmp_path / 'parts'
    with pytest.raises(ConnectionAbortedError):
        run(cfg_of('parts', after=LENGTH + 1), resume=True)  # from the start
    for path in folder.glob('*.pth'):
        _truncate(path)
    with pytest.raises(CheckpointError, match='epoch_1.pth.*truncated'):
        run(cfg_of('parts'), resume=True)
