"""Resize the map of one side of a loss to that of the other."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def resize_map(feature: Tensor, size: Sequence[int]) -> Tensor:
    """Bring a map to another height and width.

    Down, it averages over areas, exactly where the ratio is an integer. Up in
    either direction, it interpolates bilinearly with ``align_corners=False``,
    so that both maps cover the same image.

    Args:
        feature: Tensor with shape (N, C, H, W).
        size: Height and width to return.

    Returns:
        Tensor with shape (N, C, *size); the feature itself if it has it.
    """
    height, width = size
    if feature.shape[2:] == (height, width):
        return feature
    if height <= feature.shape[2] and width <= feature.shape[3]:
        return F.interpolate(feature, (height, width), mode='area')
    return F.interpolate(
        feature, (height, width), mode='bilinear', align_corners=False
    )
