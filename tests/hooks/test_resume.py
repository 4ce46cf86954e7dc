"""A resumed run is the unbroken one, bit by bit, on the CPU."""

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

EPOCHS, LENGTH = 4, 12


@HOOKS.register_module(force=True)
class PowerCut(Hook):
    """Ends a run without warning after some iterations."""

    def __init__(self, after):
        self.after = after

    def after_train_iter(self, runner, batch_idx, *args, **kwargs):
        if runner.iter + 1 == self.after:
            raise ConnectionAbortedError


def _equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.fixture
def cut_and_resume(run):
    """Train whole; train, cut, and resume; return the two last models."""

    def _both(cfg_of, after):
        whole = run(cfg_of('whole'))
        cfg = cfg_of('parts')
        cfg.custom_hooks = [dict(type='PowerCut', after=after)]
        with pytest.raises(ConnectionAbortedError):
            run(cfg)
        return whole, run(cfg_of('parts'), resume=True)

    return _both


@pytest.mark.parametrize(
    ('workers', 'persistent'), [(0, False), (2, False), (2, True)]
)
def test_four_epochs_are_a_cut_in_the_third_and_a_resumption(
    cut_and_resume, runner_cfg, distiller_cfg, tmp_path, workers, persistent
):
    """With augmentation, dropout, drop-path, masks, and validation."""

    def cfg_of(name):
        cfg = runner_cfg(
            distiller_cfg(), epochs=EPOCHS, work_dir=str(tmp_path / name)
        )
        cfg.train_dataloader.update(
            num_workers=workers, persistent_workers=persistent
        )
        return cfg

    whole, parts = cut_and_resume(cfg_of, after=2 * LENGTH + 7)
    assert whole.iter == parts.iter == EPOCHS * LENGTH
    assert _equal(parts.model.state_dict(), whole.model.state_dict())
    streams = [
        r.model.terms['loss_mgd'].connectors[0].mask_stream.state_dict()
        for r in (whole, parts)
    ]
    assert streams[0] == streams[1]
    assert streams[0]['draws'] == EPOCHS * LENGTH
