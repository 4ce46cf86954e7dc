"""The generator from a known number of visible positions in each image.

Every shape is known beforehand, so nothing has to ask the device: it does not
stop a GPU, and torch.compile and CUDA graphs take it. Plain operators, any
number of derivatives.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .channels import generate_channels
from .choice import is_stock
from .kernels import positions_first


def is_static(
    feature: Tensor,
    mask: Tensor,
    align: nn.Module | None,
    generation: nn.Sequential,
    cheap: bool | None,
) -> bool:
    """Whether to take the way that knows all shapes beforehand.

    Where it is asked for: on a CPU without a compiler others are faster, and
    on a GPU nobody has compared.
    """
    asked = cheap is True and mask.shape[1] == 1
    return asked and _wants_static(feature) and is_stock(align, generation)


def _wants_static(feature: Tensor) -> bool:
    compiler: Any = getattr(torch.compiler, 'is_compiling', None)
    return feature.device.type != 'cpu' or bool(compiler and compiler())


def static_generate(
    feature: Tensor,
    mask: Tensor,
    visible: int,
    align: nn.Module | None,
    generation: nn.Sequential,
    channels: Tensor | None = None,
) -> Tensor:
    """Compute :func:`masked_generate`, the first layers from what is visible.

    Args:
        feature: Tensor with shape (N, C_s, H, W).
        mask: Of zeros and ones, with shape (N, 1, H, W).
        visible: The number of ones in each image, V.
        align: 1x1 convolution, or None.
        generation: 3x3 convolution, ReLU, 3x3 convolution.
        channels: Indices of the wanted output channels; None means all.
    """
    layers: Any = generation
    n, width, h, w = feature.shape
    where = mask.flatten(1).topk(visible).indices.sort().values  # (N, V)
    rows = feature.flatten(2).transpose(1, 2)
    rows = rows.gather(1, where[..., None].expand(-1, -1, width))
    if align is not None:
        one: Any = align
        rows = F.linear(rows, one.weight.flatten(1), one.bias)
    nine = positions_first(layers[0].weight).transpose(1, 2)
    products = rows.flatten(0, 1) @ nine  # (9, N * V, C_t)
    bias = layers[0].bias
    hidden = bias.expand(n * (h + 2) * (w + 2), -1)
    hidden = hidden.index_add(
        0, _reached(where, h, w), products.flatten(0, 1).to(bias.dtype)
    )
    hidden = hidden.view(n, h + 2, w + 2, -1)[:, 1:-1, 1:-1]
    hidden = hidden.permute(0, 3, 1, 2).relu().to(products.dtype)
    return generate_channels(nn.Sequential(layers[2]), hidden, channels)


def _reached(where: Tensor, h: int, w: int) -> Tensor:
    """List the nine padded positions that each row reaches: (9 * N * V,)."""
    image = torch.arange(len(where), device=where.device)[:, None]
    center = (image * (h + 2) + where // w + 1) * (w + 2) + where % w + 1
    step = torch.arange(1, -2, -1, device=where.device)
    shift = (step[:, None] * (w + 2) + step).flatten()
    return (shift[:, None] + center.flatten()).flatten()
