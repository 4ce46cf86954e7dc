"""Checks and reductions that all losses share.

Reductions run in float32 at least: a sum over (C, H, W) of half-precision
squares overflows at feature magnitudes that real networks have.
"""

import torch
from torch import Tensor


def compared(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Return both sides in float32 at least.

    Raises:
        ValueError: If the two shapes differ.
    """
    if student.shape != teacher.shape:
        raise ValueError(
            'Expected the student and the teacher side of a distillation loss '
            f'to have the same shape, but got {tuple(student.shape)} and '
            f'{tuple(teacher.shape)}. A connector changes the channels '
            "(type='mmmgd.AlignConnector' or 'mmmgd.MGDConnector'); for the "
            'rest, choose points with the same stride.'
        )
    return _at_least_float32(student), _at_least_float32(teacher)


def compared_classes(
    student: Tensor, teacher: Tensor
) -> tuple[Tensor, Tensor]:
    """Return both sides, logits with shape (N, C, ...), as :func:`compared`.

    Raises:
        ValueError: If the two shapes differ, or there is only one class.
    """
    student, teacher = compared(student, teacher)
    if student.shape[1] < 2:
        raise ValueError(
            'Expected logits of at least two classes in dimension 1, but got '
            f'the shape {tuple(student.shape)}. The softmax of one class is 1 '
            'whatever the network says, so nothing would be learned (a head '
            'with a sigmoid over one channel?). Take a loss on features.'
        )
    return student, teacher


def mean(values: Tensor) -> Tensor:
    """Average all values; 0 where there are none."""
    return values.sum() / max(values.numel(), 1)


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
