"""Check by one step that the student's own config trains."""

import math
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from torch import nn

from mmmgd.config import whole_model
from mmmgd.models.sync_norm import plain_where_alone
from mmmgd.rng import isolated_rng


def first_step(cfg: Config, batch_size: int = 2) -> float | None:
    """Run forward and backward pass of a student on its first images.

    Random weights, no teacher, nothing of this package: what fails here
    would fail without it.

    Args:
        cfg: Config of a plain model.
        batch_size: Number of images.

    Returns:
        The loss, or None if the data are not on this machine.

    Raises:
        RuntimeError: If the config does not train by itself.
    """
    loader: Any = dict(
        cfg.get('train_dataloader') or {},
        batch_size=batch_size,
        num_workers=0,
        persistent_workers=False,
    )
    loader.pop('prefetch_factor', None)
    scope = cfg.get('default_scope')
    try:
        with DefaultScope.overwrite_default_scope(scope), isolated_rng(0):
            batch = next(iter(Runner.build_dataloader(loader)))
            model = plain_where_alone(MODELS.build(whole_model(cfg)))
            return _step(model, batch)
    except FileNotFoundError:
        return None
    except Exception as error:
        raise RuntimeError(
            "The student's own config does not train: "
            f'{type(error).__name__}: {error}\nNo teacher and nothing of '
            f'mmmgd took part. Mend {cfg.filename} first.'
        ) from error


def _step(model: Any, batch: Any) -> float:
    """Return the loss of a batch, after a backward pass."""
    model.train()
    data = model.data_preprocessor(batch, True)
    losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    if not math.isfinite(value := float(total.detach())):
        raise FloatingPointError(f'the loss is {value}')
    if not any(_learns(p) for p in model.parameters()):
        raise ValueError('no parameter gets a gradient')
    return value


def _learns(parameter: nn.Parameter) -> bool:
    return parameter.grad is not None and bool(parameter.grad.any())
