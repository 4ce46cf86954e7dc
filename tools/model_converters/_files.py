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
from mmmgd.config import whole_model


def build(cfg: Config) -> nn.Module:
    """Return the model of a whole config, with random weights.

    On the CPU: models with drop path cannot be built on torch's meta device.
    """
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        return MODELS.build(whole_model(cfg))


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor that a module saves."""
    return {k: tuple(v.shape) for k, v in module.state_dict().items()}


def check_fits(
    state: Mapping[str, Tensor],
    shapes: Mapping[str, tuple[int, ...]],
    expected: str,
    remedy: str,
) -> None:
    """Raise ValueError if these are not the weights of that model.

    Batch counters of BN may lack: old files do not have them, and nothing
    reads them outside training.

    Args:
        state (Mapping[str, Tensor]): The weights.
        shapes (Mapping[str, tuple]): See :func:`shapes_of`.
        expected (str): What was expected, for the message.
        remedy (str): What to do, for the message.
    """
    counters = {k for k in shapes if k.endswith('num_batches_tracked')}
    problems = {
        'missing': [k for k in shapes if k not in state and k not in counters],
        'not in the model': [k for k in state if k not in shapes],
        'of another shape': [
            f'{k} {tuple(v.shape)} instead of {shapes[k]}'
            for k, v in state.items()
            if k in shapes and tuple(v.shape) != shapes[k]
        ],
    }
    found = [
        f'{len(keys)} tensors {word}: {", ".join(keys[:5])}'
        + (', ...' if len(keys) > 5 else '')
        for word, keys in problems.items()
        if keys
    ]
    if found:
        raise ValueError(
            f'expected {expected}, but it does not fit. {"; ".join(found)}. '
            f'{remedy}'
        )


def write(content: Mapping[str, Any], target: Path) -> None:
    """Write a checkpoint; a reader never sees half a file."""
    with io.BytesIO() as buffer:
        torch.save(content, buffer)
        atomic.write(target, buffer.getvalue())
