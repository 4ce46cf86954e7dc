"""The state of a config's learning rate schedule after some training."""

import math
from typing import Any

from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

from mmmgd.engine.schedule import replay


def schedule_at(
    cfg: Any, epoch: int, iteration: int
) -> tuple[list[dict], dict[str, float]]:
    """Step the config's schedulers as far as a run has come.

    Files of MMCV 1.x hold no schedulers: its hooks computed the rate anew.

    Args:
        cfg: Whole config, with `optim_wrapper`, `param_scheduler`.
        epoch: Epochs that were trained.
        iteration: Iterations that were trained.

    Returns:
        State of each scheduler, and the optimizer's rates.
    """
    wrapper = build_optim_wrapper(nn.Linear(1, 1), cfg.optim_wrapper)
    length = math.ceil(iteration / max(1, epoch)) or 1
    train = cfg.train_cfg
    ends = {  # by_epoch -> where the Runner lets a schedule end
        True: train.get('max_epochs'),
        False: train.get('max_iters') or train.get('max_epochs', 0) * length,
    }
    schedules = cfg.param_scheduler
    built = [
        PARAM_SCHEDULERS.build(
            {'end': ends[schedule.get('by_epoch', True)], **schedule},
            default_args=dict(optimizer=wrapper, epoch_length=length),
        )
        for schedule in (
            schedules if isinstance(schedules, list) else [schedules]
        )
    ]
    replay(built, iteration // length, iteration, length)
    states = [scheduler.state_dict() for scheduler in built]
    group = wrapper.optimizer.param_groups[0]
    names = ('lr', 'initial_lr')
    return states, {n: float(group[n]) for n in names if n in group}
