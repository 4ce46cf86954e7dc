"""Measure a plain model on the data that its training validates on."""

import tempfile
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmmgd.checkpoints.fit import load_fitting
from mmmgd.checkpoints.reading import CheckpointError
from mmmgd.checkpoints.state_dicts import read_state_dict
from mmmgd.config import copy_config
from mmmgd.rng import isolated_rng

from .runner import model_of


def evaluate(cfg: Config, checkpoint: str) -> dict[str, float]:
    """Return the metrics of a checkpoint; nothing is written.

    Args:
        cfg: Config of a plain model; not changed.
        checkpoint: Path or URL of its weights.

    Raises:
        FileNotFoundError: If the file, or the data, are not there.
        CheckpointError: If it holds the weights of another model.
        ValueError: If the config says nothing of a validation.
    """
    if not cfg.get('val_dataloader') or not cfg.get('val_evaluator'):
        raise ValueError(
            'Expected a `val_dataloader` and a `val_evaluator` to measure '
            f'with, but {cfg.filename or "the config"} has none.'
        )
    state = read_state_dict(checkpoint)
    cfg = copy_config(cfg)
    cfg.update(launcher='none', load_from=None, resume=False)
    cfg.log_level = 'WARNING'
    for key in ('train', 'test'):  # neither is run
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{key}_{part}'] = None
    cfg.optim_wrapper = cfg.param_scheduler = cfg.auto_scale_lr = None
    cfg.custom_hooks = None  # of training; averages are in the file
    with (
        tempfile.TemporaryDirectory() as folder,
        DefaultScope.overwrite_default_scope(cfg.get('default_scope')),
        isolated_rng(0),
    ):
        # MMEngine keeps what it has built under a name, with its folder.
        cfg.work_dir = cfg.experiment_name = folder
        cfg.visualizer = dict(type='Visualizer', name=folder)
        cfg.default_hooks = dict(checkpoint=None)
        runner = Runner.from_cfg(cfg)
        model: Any = model_of(runner)
        if misfit := load_fitting(model, state):
            raise CheckpointError(
                f'{checkpoint!r} does not fit the config of the model: '
                f'{misfit}.'
            )
        found = runner.val()
    return {k: float(v) for k, v in found.items() if _is_number(v)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or getattr(value, 'ndim', 1) == 0
