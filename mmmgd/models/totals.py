"""Add up losses as MMEngine does."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def mean_of(loss: Any) -> Tensor:
    """Return what MMEngine adds up: a mean, or a sum of means."""
    if isinstance(loss, Tensor):
        # The mean of one number is an operation, too.
        return loss.float().mean() if loss.ndim else loss.float()
    return torch.stack([mean_of(part) for part in loss]).sum()


def total(losses: Mapping[str, Any]) -> Tensor:
    """Return the sum that is trained: of all whose name contains 'loss'."""
    parts = [mean_of(v) for name, v in losses.items() if 'loss' in name]
    return torch.stack(parts).sum()
