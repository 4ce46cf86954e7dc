"""Runs that are cut and resumed, beside the unbroken ones."""

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


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
