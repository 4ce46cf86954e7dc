"""A 3x3 convolution as nine products, for maps of few positions.

There transforming the kernel, as :class:`WinogradConv` does, takes longer than
the products that it saves.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .products import add_sum, multiply

SHIFTS = [(y, x) for y in range(3) for x in range(3)]


class ShiftedConv(torch.autograd.Function):
    """:class:`WinogradConv` in the order of the definition.

    Differentiable once; a second derivative raises a RuntimeError.
    """

    @staticmethod
    def forward(
        ctx: Any, padded: Tensor, kernel: Tensor, bias: Tensor
    ) -> Tensor:
        """Convolve.

        Args:
            ctx: Of the autograd engine.
            padded: Tensor with shape (N, 2h + 2, 2w + 2, C_in); products
                run in its type.
            kernel: Tensor with shape (9, C_out, C_in).
            bias: Tensor with shape (C_out,).

        Returns:
            Tensor with shape (N, 2h, 2w, C_out).
        """
        ctx.save_for_backward(padded, kernel)
        n, height, width, _ = padded.shape
        out = bias.expand(n, height - 2, width - 2, -1).contiguous()
        nine = kernel.to(padded.dtype).transpose(1, 2)
        add_sum(_shifted(padded), nine, out.flatten(0, 2))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the three inputs."""
        padded, kernel = ctx.saved_tensors
        with torch.autocast(grad.device.type, enabled=False):
            return *_backward(padded, kernel, grad), grad.sum((0, 1, 2))


def _backward(
    padded: Tensor, kernel: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor]:
    _, h, w, _ = grad.shape
    flat = grad.to(padded.dtype).flatten(0, 2).expand(9, -1, -1)
    grad_kernel = torch.empty_like(kernel)
    multiply(flat.transpose(1, 2), _shifted(padded), grad_kernel)
    grad_padded = torch.zeros_like(padded, dtype=kernel.dtype)
    moved = torch.bmm(flat, kernel.to(padded.dtype))
    moved = moved.unflatten(1, grad.shape[:3])
    for part, (y, x) in zip(moved, SHIFTS, strict=True):
        grad_padded[:, y : y + h, x : x + w].add_(part)
    return grad_padded.to(padded.dtype), grad_kernel


def _shifted(padded: Tensor) -> Tensor:
    """Return the nine inputs of each position: (9, N * H * W, C)."""
    _, h, w, _ = padded.shape
    parts = [padded[:, y : y + h - 2, x : x + w - 2] for y, x in SHIFTS]
    return torch.stack(parts).flatten(1, 3)
