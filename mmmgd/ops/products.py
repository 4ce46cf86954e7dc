"""Products of batches of matrices, in a type that may be shorter."""

from typing import Any

import torch
from torch import Tensor

# Pairs of numbers in a product from which oneDNN is worth a copy of it: 2048
# channels, say. On AMD's processors it uses AVX-512, and MKL does not.
LARGE = 2**29


def multiply(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Write the products a @ b into ``out``, whatever its type."""
    if _is_for_onednn(a, b):
        for left, right, put in zip(a, b, out, strict=True):
            put.copy_(_onednn(left, right))
    elif a.dtype == out.dtype:
        torch.bmm(a, b, out=out)
    else:
        out.copy_(torch.bmm(a, b))


def add_product(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Add the products a @ b to ``out``, whatever its type."""
    if _is_for_onednn(a, b):
        for left, right, put in zip(a, b, out, strict=True):
            put.add_(_onednn(left, right))
    elif a.dtype == out.dtype:
        out.baddbmm_(a, b)
    else:
        out.add_(torch.bmm(a, b))


def add_sum(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Add the sum of all products a @ b of a batch to the matrix ``out``."""
    if a.dtype == out.dtype and not _is_for_onednn(a, b):
        out.addbmm_(a, b)
        return
    matmul = _onednn if _is_for_onednn(a, b) else torch.mm
    for left, right in zip(a, b, strict=True):
        out.add_(matmul(left, right))


def _is_for_onednn(a: Tensor, b: Tensor) -> bool:
    large = a.shape[1] * a.shape[2] * b.shape[2] >= LARGE
    return (
        large
        and a.device.type == 'cpu'
        and a.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, '_linear_pointwise')
    )


def _onednn(a: Tensor, b: Tensor) -> Tensor:
    """Multiply two matrices as torch.compile does for linear layers."""
    operator: Any = torch.ops.mkldnn._linear_pointwise
    return operator(a, b.t(), None, 'none', [], '')
