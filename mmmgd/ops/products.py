"""Products of batches of matrices, in a type that may be shorter."""

import torch
from torch import Tensor


def multiply(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Write the products a @ b into ``out``, whatever its type."""
    if a.dtype == out.dtype:
        torch.bmm(a, b, out=out)
    else:
        out.copy_(torch.bmm(a, b))


def add_product(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Add the products a @ b to ``out``, whatever its type."""
    if a.dtype == out.dtype:
        out.baddbmm_(a, b)
    else:
        out.add_(torch.bmm(a, b))


def add_sum(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Add the sum of all products a @ b of a batch to the matrix ``out``."""
    if a.dtype == out.dtype:
        out.addbmm_(a, b)
    else:
        for left, right in zip(a, b, strict=True):
            out.add_(left @ right)
