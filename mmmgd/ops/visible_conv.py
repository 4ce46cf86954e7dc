"""The generator's first convolution, from the visible positions alone.

What the mask hides is zero, so of the products of a 3x3 convolution only
those of the visible positions count: a share 1 - λ. These positions are the
rows of a matrix. Its products with the nine matrices of the kernel give nine
vectors a row, one for each position of the kernel, and an output position is
the sum of the at most nine that belong to it. ``embedding_bag`` sums listed
rows, in a fixed order: results repeat bit by bit.

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

from .products import add_sum, multiply

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
        kernel: Tensor,
        bias: Tensor,
        mask: Tensor,
    ) -> Tensor:
        """Convolve.

        Args:
            ctx: Of the autograd engine.
            rows: Tensor with shape (V, D); D is C_t without ``align``.
                Products run in its type.
            align: Tensor with shape (C_t, D), or None.
            kernel: Tensor with shape (9, C_t, C_t): of each position, from
                all input channels to an output channel.
            bias: Tensor with shape (C_t,).
            mask: Keep mask of V ones with shape (N, 1, H, W), else zero.

        Returns:
            Tensor with shape (N, H', W', C_t), as :func:`winograd.pad` does.
        """
        n, _, h, w = mask.shape
        shape = n, 2 + h + h % 2, 2 + w + w % 2, kernel.shape[1]
        hidden = rows.new_zeros(shape)
        bags, offsets = _sums(mask)
        for block in _blocks(rows, kernel):
            nine = kernel[:, block].to(rows.dtype)
            if align is not None:
                nine = nine @ align
            products = kernel.new_empty(9 * len(rows) + 1, nine.shape[1])
            products[-1] = bias[block]
            wide = products[:-1].view(9, len(rows), nine.shape[1])
            multiply(rows.expand(9, -1, -1), nine.transpose(1, 2), wide)
            summed = F.embedding_bag(bags, products, offsets, mode='sum')
            inside = hidden[:, 1 : h + 1, 1 : w + 1, block]
            inside.copy_(summed.clamp_min_(0).view(inside.shape))
        ctx.save_for_backward(rows, align, kernel, mask, hidden)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of rows, align, kernel and bias."""
        # The engine may be inside of an autocast: types are chosen here.
        with torch.autocast(grad.device.type, enabled=False):
            return *_backward(grad, *ctx.saved_tensors), None


def _backward(
    grad: Tensor,
    rows: Tensor,
    align: Tensor | None,
    kernel: Tensor,
    mask: Tensor,
    hidden: Tensor,
) -> tuple[Tensor | None, ...]:
    reached = _reached(mask, hidden)
    grad_rows = torch.zeros_like(rows, dtype=kernel.dtype)
    grad_align = None
    if align is not None:
        grad_align = torch.zeros_like(align, dtype=kernel.dtype)
    grad_kernel = torch.empty_like(kernel)
    grad_bias = kernel.new_empty(kernel.shape[1])
    wide_rows = rows.expand(9, -1, -1)
    for block in _blocks(rows, kernel):
        # Not positive where ReLU cut off, and in the padding.
        before = torch.ops.aten.threshold_backward(
            grad[..., block], hidden[..., block], 0
        ).flatten(0, 2)
        grad_bias[block] = before.sum(0, dtype=kernel.dtype)
        wide = before.index_select(0, reached).unflatten(0, (9, -1))
        nine = kernel[:, block].to(rows.dtype)
        if align is None or grad_align is None:
            add_sum(wide, nine, grad_rows)
            multiply(wide.transpose(1, 2), wide_rows, grad_kernel[:, block])
            continue
        add_sum(wide, nine @ align, grad_rows)
        composed = torch.bmm(wide.transpose(1, 2), wide_rows)
        add_sum(nine.transpose(1, 2), composed, grad_align)
        back = align.expand(9, -1, -1).transpose(1, 2)
        multiply(composed, back, grad_kernel[:, block])
    if align is not None and grad_align is not None:
        grad_align = grad_align.to(align.dtype)
    return grad_rows.to(rows.dtype), grad_align, grad_kernel, grad_bias


def _blocks(rows: Tensor, kernel: Tensor) -> Iterator[slice]:
    """Cut the output channels into blocks of about BLOCK numbers."""
    size = max(64, BLOCK // (9 * max(1, *rows.shape)) // 64 * 64)
    for start in range(0, kernel.shape[1], size):
        yield slice(start, min(start + size, kernel.shape[1]))


def _sums(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the products that each output position sums.

    Returns:
        Numbers of products, those of one position after those of another, and
        for each of the N * H * W positions where its list begins. Answer
        V k + r is that of row r to position k of the kernel; the last one is
        the bias.
    """
    keep = mask[:, 0] != 0
    row = torch.full(keep.shape, -1, dtype=torch.long, device=mask.device)
    row[keep] = torch.arange(count := int(keep.sum()), device=mask.device)
    # (N, H, W) -> (N, H, W, 3, 3) -> (N * H * W, 9)
    near = F.pad(row, (1, 1, 1, 1), value=-1).unfold(1, 3, 1).unfold(2, 3, 1)
    near = near.reshape(-1, 9)
    product = near + count * torch.arange(9, device=mask.device)
    product = F.pad(product, (0, 1), value=9 * count)
    exists = F.pad(near >= 0, (0, 1), value=True)
    lengths = exists.sum(1)
    return product[exists], lengths.cumsum(0) - lengths


def _reached(mask: Tensor, hidden: Tensor) -> Tensor:
    """List the nine padded positions that each row reaches: (9 * V,)."""
    _, height, width, _ = hidden.shape
    n, y, x = (mask[:, 0] != 0).nonzero().unbind(1)
    step = torch.arange(1, -2, -1, device=mask.device)
    shift = (step[:, None] * width + step).flatten()
    center = (n * height + y + 1) * width + x + 1
    return (shift[:, None] + center).flatten()
