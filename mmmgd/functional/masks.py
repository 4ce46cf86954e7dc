"""Keep masks: 1 where a feature is visible, 0 where it is hidden."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

MASK_DIMS = ('spatial', 'channel')
MASKS = ('random', 'fixed', 'attention')


def random_mask(
    feature: Tensor,
    mask_ratio: float,
    mask_dim: str,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw a keep mask on the feature's device: 1 is visible, 0 is hidden.

    Args:
        feature: Tensor with shape (N, C, H, W); only its shape, type and
            device are used.
        mask_ratio: λ, the probability that a position (or channel) is hidden,
            in [0, 1).
        mask_dim: 'spatial' hides positions in all channels, 'channel' hides
            whole channels.
        generator: Random stream on the feature's device. Defaults to the
            global one.

    Returns:
        Tensor with shape (N, 1, H, W) or (N, C, 1, 1).
    """
    draw = _uniform(feature, mask_dim, generator)
    return (draw >= mask_ratio).to(feature.dtype)


def fixed_mask(
    feature: Tensor,
    mask_ratio: float,
    mask_dim: str,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Hide the same number of random positions (or channels) in each image.

    Args:
        feature: As in :func:`random_mask`.
        mask_ratio: λ: of P positions, λ · P are hidden, rounded, at most
            P − 1.
        mask_dim: As in :func:`random_mask`.
        generator: As in :func:`random_mask`.

    Returns:
        Tensor with shape (N, 1, H, W) or (N, C, 1, 1).
    """
    draw = _uniform(feature, mask_dim, generator)
    mask: Any = _hide_highest(draw, mask_ratio).to(feature.dtype)
    count = mask.shape[1:].numel()
    mask.visible = count - _count_hidden(count, mask_ratio)
    return mask


def visible_count(mask: Tensor) -> int | None:
    """Return how much each image shows, if :func:`fixed_mask` has drawn it.

    No device has to be asked for it.
    """
    return getattr(mask, 'visible', None)


def attention_mask(
    teacher: Tensor, mask_ratio: float, mask_dim: str
) -> Tensor:
    """Hide the positions (or channels) that the teacher attends to most.

    Attention is the mean of absolute values, over the channels of a position
    or over the positions of a channel: `Paying More Attention to Attention
    <https://arxiv.org/abs/1612.03928>`_. `AMD
    <https://arxiv.org/abs/2301.13538>`_ and `DMKD
    <https://arxiv.org/abs/2309.02719>`_, whose code is not public, mask by a
    threshold on it; here the threshold is the quantile of each image at which
    the share λ is hidden, so that λ means what it does in MGD.

    Args:
        teacher: Tensor with shape (N, C, H, W).
        mask_ratio: As in :func:`fixed_mask`.
        mask_dim: As in :func:`random_mask`.

    Returns:
        Tensor with shape (N, 1, H, W) or (N, C, 1, 1).
    """
    dims = [1] if mask_dim == 'spatial' else [2, 3]
    size = teacher.abs().mean(dims, keepdim=True, dtype=torch.float32)
    return _hide_highest(size, mask_ratio).to(teacher.dtype)


def mask_shape(shape: Sequence[int], mask_dim: str) -> tuple[int, ...]:
    """Return the shape of a mask for a feature of shape (N, C, H, W)."""
    n, c, h, w = shape
    return (n, 1, h, w) if mask_dim == 'spatial' else (n, c, 1, 1)


def _uniform(
    feature: Tensor, mask_dim: str, generator: torch.Generator | None
) -> Tensor:
    """Draw a number in [0, 1) for each position or channel."""
    shape = mask_shape(feature.shape, mask_dim)
    return torch.rand(shape, device=feature.device, generator=generator)


def _hide_highest(scores: Tensor, mask_ratio: float) -> Tensor:
    """Return 0 at the highest scores of each image, a share λ, else 1."""
    flat = scores.flatten(1)
    hidden = _count_hidden(flat.shape[1], mask_ratio)
    keep = torch.ones_like(flat)
    keep.scatter_(1, flat.topk(hidden).indices, 0)
    return keep.view_as(scores)


def _count_hidden(count: int, mask_ratio: float) -> int:
    return min(round(mask_ratio * count), count - 1)
