"""The generator of masked features, from the visible positions.

The same sum in another order: exact up to the rounding of float32. The plain
modules remain the reference, hold the parameters, and run in all other cases.
"""

from typing import Any

import torch
from torch import Tensor, nn

from mmmgd.functional.masks import visible_count

from . import choice
from .channels import generate_channels
from .choice import choose, product_type
from .kernels import positions_first
from .shifted_conv import ShiftedConv
from .static_generator import is_static, static_generate
from .visible_conv import VisibleConv
from .winograd import WinogradConv


def masked_generate(
    feature: Tensor,
    mask: Tensor,
    align: nn.Module | None,
    generation: nn.Sequential,
    cheap: bool | None = None,
    channels: Tensor | None = None,
) -> Tensor:
    """Return G(mask ⊙ align(feature)): eq. (1)-(3) of MGD.

    The cheap ways have no second derivative, and return their result
    channels last in memory. On a GPU and under torch.compile, ``cheap=True``
    needs a mask of :func:`fixed_mask`, whose shapes are known, not to wait.

    Args:
        feature: Tensor with shape (N, C_s, H, W).
        mask: Keep mask, 1 is visible, with shape (N, 1, H, W) or
            (N, C_t, 1, 1).
        align: 1x1 convolution from C_s to C_t, or None if they are equal.
        generation: G: 3x3 convolution, ReLU, 3x3 convolution, of width C_t.
        cheap: Whether to compute from the visible positions: True where
            possible, False never, None where it is estimated to be faster.
        channels: Indices of the K output channels that are wanted; None means
            all.

    Returns:
        Tensor with shape (N, C_t, H, W), or (N, K, H, W).
    """
    visible = visible_count(mask)
    if visible and is_static(feature, mask, align, generation, cheap):
        return static_generate(
            feature, mask, visible, align, generation, channels
        )
    way = choose(feature, mask, align, generation, cheap)
    if way != 'plain':
        return generate(
            feature, mask, align, generation, way == 'composed', channels
        )
    if align is not None:
        feature = align(feature)
    masked = feature * mask.to(feature.dtype)
    return generate_channels(generation, masked, channels)


def generate(
    feature: Tensor,
    mask: Tensor,
    align: nn.Module | None,
    generation: nn.Sequential,
    compose: bool,
    channels: Tensor | None = None,
) -> Tensor:
    """Compute :func:`masked_generate` from the visible positions.

    Differentiable once. Products run in the parameters' type; under an
    autocast to bfloat16 in that, where the processor has it, with sums and
    the result in the parameters' type. On a GPU, it waits for the number of
    visible positions.

    Args:
        feature: As there.
        mask: Of zeros and ones, with shape (N, 1, H, W).
        align: As there.
        generation: As there.
        compose: Multiply align into the first kernel instead of applying it.
        channels: As there.
    """
    layers: Any = generation
    first, _, second = layers
    _, _, h, w = feature.shape
    dtype = product_type(feature, first.weight)
    with torch.autocast(feature.device.type, enabled=False):
        feature = feature.to(dtype).permute(0, 2, 3, 1)
        rows, matrix = feature[mask[:, 0] != 0], None  # (V, C_s)
        if align is not None:
            assert isinstance(align, nn.Conv2d) and align.bias is not None
            # A bias is the weight of an input that is always one.
            rows = torch.cat((rows, rows.new_ones(len(rows), 1)), 1)
            matrix = torch.cat(
                (align.weight.flatten(1), align.bias[:, None]), 1
            ).to(dtype)
            if not compose:
                rows, matrix = rows @ matrix.t(), None
        kernel = positions_first(first.weight)
        hidden = VisibleConv.apply(rows, matrix, kernel, first.bias, mask)
        kernel, bias = positions_first(second.weight), second.bias
        if channels is not None:
            kernel, bias = kernel.index_select(1, channels), bias[channels]
        few = len(feature) * (h + h % 2) * (w + w % 2) < choice.FEW
        convolve = ShiftedConv if few else WinogradConv
        out = convolve.apply(hidden, kernel, bias)
    return out[:, :h, :w].permute(0, 3, 1, 2)
