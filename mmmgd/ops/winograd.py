"""A 3x3 convolution by Winograd: 4 products a position, not 9.

F(2x2, 3x3) of `Fast Algorithms for Convolutional Neural Networks
<https://arxiv.org/abs/1509.09308>`_, in float32 about as exact as the direct
sum. A tile of 4x4 inputs d makes 2x2 outputs Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A; summed
over the input channels, ⊙ becomes 16 matrix products over all tiles. The two
backward passes are the transposed products between the transposed transforms.

oneDNN and MKL have no such convolution for the CPU, hence this one. Maps are
(N, H, W, C) in memory, so that a tile's position is a row of a matrix. Of the
16 products four, one row i of the 4x4, are made at a time, which bounds the
transformed weight (and its gradient) to 4/9 of the weight's size each.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .products import add_product, multiply

# (Bᵀ d)_i = d_a + sign * d_b, as (a, b, sign)
INPUT = ((0, 2, -1), (1, 2, 1), (2, 1, -1), (1, 3, -1))
# (Aᵀ m)_a = Σ_i OUTPUT[i][a] * m_i
OUTPUT = ((1, 0), (1, 1), (1, -1), (0, -1))
FILTER = ((1.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.0, 0.0, 1.0))
# Of the nine positions of a kernel, those that row i of G g Gᵀ reads.
READS = (slice(0, 3), slice(0, 9), slice(0, 9), slice(6, 9))
# Tiles at a time: enough rows for the matrix product, few enough for a cache.
TILES = 1024


class WinogradConv(torch.autograd.Function):
    """conv2d of kernel 3, stride 1, padding 1, over a padded (N, H, W, C) map.

    Differentiable once; a second derivative raises a RuntimeError.
    """

    @staticmethod
    def forward(
        ctx: Any, padded: Tensor, kernel: Tensor, bias: Tensor
    ) -> Tensor:
        """Convolve what :func:`pad` made.

        Args:
            ctx: Of the autograd engine.
            padded: Tensor with shape (N, 2h + 2, 2w + 2, C_in); products
                run in its type.
            kernel: Tensor with shape (9, C_out, C_in).
            bias: Tensor with shape (C_out,).

        Returns:
            Tensor with shape (N, 2h, 2w, C_out); of an odd map, the last row
            or column is to be cut off.
        """
        n, height, width, _ = padded.shape
        ctx.save_for_backward(padded, kernel)
        shape = n, height - 2, width - 2, len(bias)
        return _forward(padded, kernel, bias.expand(shape).contiguous())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the three inputs."""
        padded, kernel = ctx.saved_tensors
        # The engine may be inside of an autocast: types are chosen here.
        with torch.autocast(grad.device.type, enabled=False):
            return *_backward(padded, kernel, grad), grad.sum((0, 1, 2))


def pad(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H', W', C): one row of zeros around an even map."""
    x = x.permute(0, 2, 3, 1)
    return F.pad(x, (0, 0, 1, 1 + x.shape[2] % 2, 1, 1 + x.shape[1] % 2))


def _forward(padded: Tensor, kernel: Tensor, out: Tensor) -> Tensor:
    buffer = kernel.new_empty(4, *kernel.shape[1:])
    for i in range(4):
        u = _transform_filter(kernel, i, buffer).to(padded.dtype)
        for images, rows in _bands(padded):
            v = _transform_input(padded[images], rows, i)
            m = out.new_empty(*v.shape[:-1], u.shape[1])
            multiply(v.flatten(1, 3), u.transpose(1, 2), m.flatten(1, 3))
            m[0].add_(m[1]).add_(m[2])  # the two columns of the output
            m[1].sub_(m[2]).sub_(m[3])
            tiles = _as_tiles(out)[images, rows]
            for a, sign in enumerate(OUTPUT[i]):
                for b in range(2) if sign else ():
                    tiles[:, :, a, :, b].add_(m[b], alpha=sign)
    return out


def _backward(
    padded: Tensor, kernel: Tensor, grad: Tensor
) -> tuple[Tensor, Tensor]:
    grad_padded = torch.zeros_like(padded, dtype=kernel.dtype)
    grad_kernel = torch.zeros_like(kernel)
    buffer, grad_u = kernel.new_empty(2, 4, *kernel.shape[1:])
    tiles = _as_tiles(grad.contiguous())
    for i in range(4):
        u = _transform_filter(kernel, i, buffer).to(padded.dtype)
        put = multiply
        for images, rows in _bands(padded):
            v = _transform_input(padded[images], rows, i)
            m = _transpose_output(tiles[images, rows], i).to(padded.dtype)
            flat = m.flatten(1, 3)
            put(flat.transpose(1, 2), v.flatten(1, 3), grad_u)
            put = add_product
            multiply(flat, u, v.flatten(1, 3))
            _transpose_input(grad_padded[images], v, rows, i)
        g = _filter_matrix(kernel, i).t()
        grad_kernel[READS[i]].flatten(1).addmm_(g, grad_u.flatten(1))
    return grad_padded.to(padded.dtype), grad_kernel


def _bands(padded: Tensor) -> Iterator[tuple[slice, slice]]:
    """Cut a batch into images, and large images into rows of tiles."""
    n, h, w = len(padded), padded.shape[1] // 2 - 1, padded.shape[2] // 2 - 1
    images, rows = max(1, TILES // (h * w)), max(1, min(h, TILES // w))
    for i in range(0, n, images):
        for j in range(0, h, rows):
            yield slice(i, i + images), slice(j, min(h, j + rows))


def _as_tiles(x: Tensor) -> Tensor:
    """(N, 2h, 2w, C) -> (N, h, 2, w, 2, C), a view."""
    return x.unflatten(1, (-1, 2)).unflatten(3, (-1, 2))


def _filter_matrix(kernel: Tensor, i: int) -> Tensor:
    """Row i of G ⊗ G, of what it reads: (4, 3) or (4, 9)."""
    g = kernel.new_tensor(FILTER)
    return torch.kron(g, g)[4 * i : 4 * i + 4, READS[i]]


def _transform_filter(kernel: Tensor, i: int, out: Tensor) -> Tensor:
    """Write row i of G g Gᵀ into ``out`` with shape (4, C_out, C_in)."""
    g = _filter_matrix(kernel, i)
    torch.mm(g, kernel[READS[i]].flatten(1), out=out.view(4, -1))
    return out


def _transform_input(padded: Tensor, rows: slice, i: int) -> Tensor:
    """Row i of Bᵀ d B: (4, n, h, w, C)."""
    a, b, sign = INPUT[i]
    first, count = 2 * rows.start, 2 * (rows.stop - rows.start)
    r = torch.add(
        padded[:, first + a : first + a + count : 2],
        padded[:, first + b : first + b + count : 2],
        alpha=sign,
    )
    w = r.shape[2] - 2
    out = r.new_empty(4, len(r), r.shape[1], w // 2, r.shape[3])
    for j, (a, b, sign) in enumerate(INPUT):
        torch.add(
            r[:, :, a : a + w : 2],
            r[:, :, b : b + w : 2],
            alpha=sign,
            out=out[j],
        )
    return out


def _transpose_input(grad: Tensor, v: Tensor, rows: slice, i: int) -> None:
    """Add the transpose of :func:`_transform_input` to ``grad``."""
    _, n, h, w, c = v.shape
    r = grad.new_zeros(n, h, 2 * w + 2, c)
    for j, (a, b, sign) in enumerate(INPUT):
        r[:, :, a : a + 2 * w : 2].add_(v[j])
        r[:, :, b : b + 2 * w : 2].add_(v[j], alpha=sign)
    a, b, sign = INPUT[i]
    first = 2 * rows.start
    grad[:, first + a : first + a + 2 * h : 2].add_(r)
    grad[:, first + b : first + b + 2 * h : 2].add_(r, alpha=sign)


def _transpose_output(tiles: Tensor, i: int) -> Tensor:
    """Row i of A y Aᵀ: (n, h, 2, w, 2, C) -> (4, n, h, w, C)."""
    rows = [s * tiles[:, :, a] for a, s in enumerate(OUTPUT[i]) if s]
    y = rows[0] if len(rows) == 1 else rows[0] + rows[1]
    left, right = y[..., 0, :], y[..., 1, :]
    return torch.stack((left, left + right, left - right, -right))
