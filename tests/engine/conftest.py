"""Runs that are cut and resumed, beside the unbroken ones; their scenes."""

import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

sys.path.insert(
    0, str(Path(__file__).parents[2] / 'tools' / 'dataset_converters')
)

import digits
from scenes import write_coco
from styles import DIGITS


@HOOKS.register_module(force=True)
class DieAfter(Hook):
    """Ends a run without warning."""

    def __init__(self, iters):
        self.iters = iters

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.iters:
            raise ConnectionAbortedError


@pytest.fixture
def cut_and_whole(run, tmp_path):
    """Train unbroken, and cut in the second epoch, then resumed."""

    def _run(cfg, iters):
        runners = []
        for name in ('whole', 'parts'):
            cfg = Config(cfg.to_dict(), format_python_code=False)
            cfg.work_dir = str(tmp_path / name)
            hooks = list(cfg.custom_hooks)
            if name == 'parts':
                cfg.custom_hooks = [*hooks, dict(type='DieAfter', iters=iters)]
                with pytest.raises(ConnectionAbortedError):
                    run(cfg)
            cfg.custom_hooks = hooks
            runners.append(run(cfg, resume=name == 'parts'))
        whole, parts = runners
        assert parts.iter == whole.iter
        state = parts.model.state_dict()
        for key, value in whole.model.state_dict().items():
            assert torch.equal(state[key], value), key
        return whole, parts

    return _run


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    out = tmp_path_factory.mktemp('coco')
    images, labels = digits.load_scans()
    scans = {
        split: (images[numbers], labels[numbers])
        for split, numbers in digits.split_scans(10).items()
    }
    write_coco(out, scans, dict(train=8, val=2), DIGITS)
    return out
