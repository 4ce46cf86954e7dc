"""What the converters share: does a file fit, and writing one."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from mmmgd.checkpoints import atomic
from mmmgd.checkpoints.fit import Shape, compare
from mmmgd.config import whole_model


def build(cfg: Config) -> nn.Module:
    """Return the model of a whole config, with random weights.

    On the CPU: models with drop path cannot be built on torch's meta device.
    """
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        return MODELS.build(whole_model(cfg))


def check_fits(
    state: Mapping[str, Tensor],
    shapes: Mapping[str, Shape],
    expected: str,
    remedy: str,
) -> None:
    """Raise ValueError if these are not the weights of that model.

    Args:
        state: The weights.
        shapes: Those of the model.
        expected: What was expected, for the message.
        remedy: What to do, for the message.
    """
    if misfit := compare(state, shapes):
        raise ValueError(
            f'expected {expected}, but it does not fit. {misfit}. {remedy}'
        )


def write(content: Mapping[str, Any], target: Path) -> None:
    """Write a checkpoint; a reader never sees half a file."""
    with io.BytesIO() as buffer:
        torch.save(content, buffer)
        atomic.write(target, buffer.getvalue())
