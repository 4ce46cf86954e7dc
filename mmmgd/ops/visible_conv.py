"""The generator's first convolution, from the visible positions alone.

What the mask hides is zero, so of the products of a 3x3 convolution only
those of the visible positions count: a share 1 - λ. These positions are the
rows of a matrix. One product with the kernel gives nine vectors a row, one for
each position of the kernel, and an output position is the sum of the at most
nine that belong to it. ``embedding_bag`` sums listed rows, in a fixed order:
results repeat bit by bit.

The 1x1 convolution before the mask (align) runs on these rows only. It may
also be multiplied into the kernel, which makes the rows narrower: worth it
where there are more rows than the student has channels, about.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .winograd import transpose_into

# Numbers in a block of products: few enough for a cache, and for an allocator
# that reuses memory instead of asking the system for new pages.
BLOCK = 2**22


class VisibleConv(torch.autograd.Function):
    """Compute relu(conv3x3(scatter(rows))), padded for :class:`WinogradConv`.

    ``rows`` are the visible positions. With ``align``, the kernel is
    multiplied by it: relu(conv3x3(scatter(rows @ alignᵀ))).

    Differentiable once; a second derivative raises a RuntimeError.
    """

    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        align: Tensor | None,
        weight: Tensor,
        bias: Tensor,
        mask: Tensor,
    ) -> Tensor:
        """Convolve.

        Args:
            ctx: Of the autograd engine.
            rows: Tensor with shape (V, D); D is C_t without ``align``.
            align: Tensor with shape (C_t, D), or None.
            weight: Tensor with shape (C_t, C_t, 3, 3).
            bias: Tensor with shape (C_t,).
            mask: Keep mask of V ones with shape (N, 1, H, W), else zero.

        Returns:
            Tensor with shape (N, H', W', C_t), as :func:`winograd.pad` does.
        """
        n, _, h, w = mask.shape
        shape = n, 2 + h + h % 2, 2 + w + w % 2, len(weight)
        hidden = rows.new_zeros(shape)
        bags, offsets = _sums(mask)
        for block in _blocks(rows, weight):
            kernel = _nine(weight[block])
            if align is not None:
                kernel = kernel @ align
            products = rows.new_empty(9 * len(rows) + 1, len(bias[block]))
            products[-1] = bias[block]
            wide = products[:-1].view(len(rows), len(kernel))
            torch.mm(rows, kernel.t(), out=wide)
            summed = F.embedding_bag(bags, products, offsets, mode='sum')
            inside = hidden[:, 1 : h + 1, 1 : w + 1, block]
            torch.clamp_min(summed.view(inside.shape), 0, out=inside)
        ctx.save_for_backward(rows, align, weight, mask, hidden)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of rows, align, weight and bias."""
        # The engine may be inside of an autocast; these products are not.
        with torch.autocast(grad.device.type, enabled=False):
            return *_backward(grad, *ctx.saved_tensors), None


def _backward(
    grad: Tensor,
    rows: Tensor,
    align: Tensor | None,
    weight: Tensor,
    mask: Tensor,
    hidden: Tensor,
) -> tuple[Tensor | None, ...]:
    reached = _reached(mask, hidden)
    grad_rows = torch.zeros_like(rows)
    grad_align = None if align is None else torch.zeros_like(align)
    grad_weight = torch.empty_like(weight).contiguous()
    grad_bias = weight.new_empty(len(weight))
    for block in _blocks(rows, weight):
        # Not positive where ReLU cut off, and in the padding.
        before = torch.ops.aten.threshold_backward(
            grad[..., block], hidden[..., block], 0
        ).flatten(0, 2)
        grad_bias[block] = before.sum(0)
        nine = _nine(weight[block])
        wide = before.index_select(0, reached).view(len(rows), len(nine))
        kernel = nine if align is None else nine @ align
        grad_rows.addmm_(wide, kernel)
        grad_nine = wide.t() @ rows
        if align is not None and grad_align is not None:
            grad_align.addmm_(nine.t(), grad_nine)
            grad_nine = grad_nine @ align.t()
        transpose_into(grad_weight[block].view(-1, 9), grad_nine.view(9, -1))
    return grad_rows, grad_align, grad_weight, grad_bias


def _blocks(rows: Tensor, weight: Tensor) -> Iterator[slice]:
    """Cut the output channels into blocks of about BLOCK numbers."""
    height = 9 * max(len(rows), weight.shape[1])
    size = max(64, BLOCK // height // 64 * 64)
    for start in range(0, len(weight), size):
        yield slice(start, min(start + size, len(weight)))


def _nine(weight: Tensor) -> Tensor:
    """Reshape (C, C_t, 3, 3) to (9 * C, C_t), the kernel's positions first."""
    out = weight.new_empty(9, weight[:, :, 0, 0].numel())
    transpose_into(out, weight.reshape(-1, 9))
    return out.view(-1, weight.shape[1])


def _sums(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the products that each output position sums.

    Returns:
        Numbers of products, those of one position after those of another, and
        for each of the N * H * W positions where its list begins. Answer
        9 r + k is that of row r to position k of the kernel; the last one is
        the bias.
    """
    keep = mask[:, 0] != 0
    row = torch.full(keep.shape, -1, dtype=torch.long, device=mask.device)
    row[keep] = torch.arange(count := int(keep.sum()), device=mask.device)
    # (N, H, W) -> (N, H, W, 3, 3) -> (N * H * W, 9)
    near = F.pad(row, (1, 1, 1, 1), value=-1).unfold(1, 3, 1).unfold(2, 3, 1)
    near = near.reshape(-1, 9)
    product = 9 * near + torch.arange(9, device=mask.device)
    product = F.pad(product, (0, 1), value=9 * count)
    exists = F.pad(near >= 0, (0, 1), value=True)
    lengths = exists.sum(1)
    return product[exists], lengths.cumsum(0) - lengths


def _reached(mask: Tensor, hidden: Tensor) -> Tensor:
    """List the nine padded positions that each row reaches: (V * 9,)."""
    _, height, width, _ = hidden.shape
    n, y, x = (mask[:, 0] != 0).nonzero().unbind(1)
    step = torch.arange(1, -2, -1, device=mask.device)
    shift = (step[:, None] * width + step).flatten()
    center = (n * height + y + 1) * width + x + 1
    return (center[:, None] + shift).flatten()
