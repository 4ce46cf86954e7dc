"""A generator cut to some of its output channels."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


def generate_channels(
    generation: nn.Module, feature: Tensor, channels: Tensor | None
) -> Tensor:
    """Return some output channels of a generator, computing no others.

    Args:
        generation: Layers, the last convolution of which makes the output
            channels; or several such, whose mean is taken.
        feature: Tensor with shape (N, C, H, W).
        channels: Indices of the K wanted channels; None means all.

    Returns:
        Tensor with shape (N, K, H, W).
    """
    if channels is None:
        return generation(feature)
    if isinstance(generation, nn.ModuleList):
        parts = [generate_channels(g, feature, channels) for g in generation]
        return sum(parts[1:], parts[0]) / len(parts)
    layers: Any = list(generation.children())
    last = max(i for i, x in enumerate(layers) if isinstance(x, nn.Conv2d))
    for i, layer in enumerate(layers):
        if i == last:
            weight, bias = layer.weight[channels], layer.bias[channels]
            feature = F.conv2d(feature, weight, bias, padding=layer.padding)
        else:
            feature = layer(feature)
    return feature
