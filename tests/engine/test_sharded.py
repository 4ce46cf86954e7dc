"""FSDP and DeepSpeed are refused before step 1, by what users write."""

import pytest
import torch
from mmengine.runner import FlexibleRunner
from torch.optim.optimizer import register_optimizer_step_post_hook

from mmmgd.config import check_config
from mmmgd.engine.runner import check_not_sharded

WRITTEN = {
    'runner_type': dict(runner_type='FlexibleRunner'),
    'strategy': dict(strategy=dict(type='DeepSpeedStrategy')),
    'model_wrapper_cfg': dict(
        model_wrapper_cfg=dict(type='MMFullyShardedDataParallel')
    ),
}


@pytest.mark.parametrize('key', WRITTEN)
def test_a_config_that_asks_for_it(runner_cfg, distiller_cfg, key):
    cfg = runner_cfg(distiller_cfg(), **WRITTEN[key])
    with pytest.raises(ValueError, match=f'DDP, but got {key}='):
        check_config(cfg)
    plain = runner_cfg(distiller_cfg()['student'], **WRITTEN[key])
    check_config(plain)  # which is none of our business


def test_other_wrappers_are_fine(runner_cfg, distiller_cfg):
    wrapper = dict(type='MMDistributedDataParallel')
    check_config(runner_cfg(distiller_cfg(), model_wrapper_cfg=wrapper))
    check_config(runner_cfg(distiller_cfg(), runner_type='Runner'))


@pytest.mark.usefixtures('quick_start')
def test_a_flexible_runner_takes_no_step(runner_cfg, distiller_cfg, tmp_path):
    strategy = dict(type='SingleDeviceStrategy')
    cfg = runner_cfg(distiller_cfg(), strategy=strategy, env_cfg={})
    cfg.experiment_name = tmp_path.name
    runner = FlexibleRunner.from_cfg(cfg)
    steps = []
    handle = register_optimizer_step_post_hook(lambda *_: steps.append(1))
    with pytest.raises(ValueError, match='DDP, but got FlexibleRunner'):
        runner.train()
    handle.remove()
    assert not steps


def test_a_model_wrapped_by_fsdp(build, distiller_cfg):
    """As of a Runner that was handed a sharded model."""
    from mmengine.model import MMFullyShardedDataParallel
    from mmengine.runner import Runner

    runner = Runner.__new__(Runner)  # only its model is looked at
    runner.model = build(distiller_cfg())
    check_not_sharded(runner)
    runner.model = MMFullyShardedDataParallel.__new__(
        MMFullyShardedDataParallel
    )
    torch.nn.Module.__init__(runner.model)
    with pytest.raises(ValueError, match='but got FullySharded'):
        check_not_sharded(runner)
