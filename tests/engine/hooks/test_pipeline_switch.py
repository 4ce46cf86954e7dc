"""A pipeline that changes during the training, in a run that is resumed.

The workers of the data loader live on from epoch to epoch, so a hook that
changes the pipeline has to start them anew.
"""

import os
import signal

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

EPOCHS, LENGTH, SWITCH = 4, 4, 2
SLOW = pytest.mark.slow
LOAD, PACK = dict(type='LoadImageFromFile'), dict(type='PackInputs')
SECOND = [
    LOAD,
    dict(type='RandomCrop', crop_size=24, padding=2),
    dict(type='Resize', scale=32),
    PACK,
]
SWITCHES = {
    'mmdet': dict(
        type='mmdet.PipelineSwitchHook',
        switch_epoch=SWITCH,
        switch_pipeline=SECOND,
    ),
    'mmpretrain': dict(
        type='SwitchRecipeHook',
        schedule=[dict(action_epoch=SWITCH + 1, train_pipeline=SECOND)],
    ),
}
WHOLE = {}


@HOOKS.register_module(force=True)
class Watch(Hook):
    """Notes what the model sees; ends a run by a signal, or without one."""

    seen: dict = {}  # noqa: RUF012

    def __init__(self, name, after=None, signum=None):
        self.name, self.after, self.signum = name, after, signum

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        images = torch.stack(list(data_batch['inputs']))
        key = self.name, runner.iter
        self.seen[key] = images.double().sum().item()

    def after_train_iter(self, runner, batch_idx, *args, **kwargs):
        if runner.iter + 1 == self.after:
            if self.signum is None:
                raise ConnectionAbortedError
            os.kill(os.getpid(), self.signum)


@pytest.fixture
def cfg_of(runner_cfg, distiller_cfg, tmp_path):
    """Four epochs of four steps; the pipeline changes before the third."""

    def _cfg(name, codebase, **cut):
        cfg = runner_cfg(
            distiller_cfg(), epochs=EPOCHS, work_dir=str(tmp_path / name)
        )
        cfg.train_dataloader.update(
            batch_size=12, num_workers=2, persistent_workers=True
        )
        cfg.custom_hooks = [
            SWITCHES[codebase],
            dict(type='Watch', name=name, **cut),
        ]
        return cfg

    return _cfg


@pytest.mark.parametrize(
    ('after', 'signum'),
    [
        (LENGTH + 2, None),  # goes on an epoch before the change
        pytest.param(LENGTH + 2, signal.SIGTERM, marks=SLOW),
        (2 * LENGTH + 2, None),  # at the change
        pytest.param(2 * LENGTH + 2, signal.SIGTERM, marks=SLOW),
        pytest.param(3 * LENGTH + 2, None, marks=SLOW),  # an epoch after it
    ],
)
@pytest.mark.parametrize(
    'codebase', ['mmdet', pytest.param('mmpretrain', marks=SLOW)]
)
def test_a_resumed_run_sees_what_the_unbroken_one_sees(
    run, cfg_of, codebase, after, signum
):
    if codebase not in WHOLE:
        WHOLE[codebase] = run(cfg_of(f'whole-{codebase}', codebase))
    cut = dict(after=after, signum=signum and int(signum))
    with pytest.raises((ConnectionAbortedError, SystemExit)):
        run(cfg_of('parts', codebase, **cut))
    parts = run(cfg_of('parts', codebase), resume=True)
    steps = range(EPOCHS * LENGTH)
    seen, expected = (
        [Watch.seen[name, step] for step in steps]
        for name in ('parts', f'whole-{codebase}')
    )
    assert seen == expected
    state = parts.model.state_dict()
    for key, value in WHOLE[codebase].model.state_dict().items():
        assert torch.equal(state[key], value), key
