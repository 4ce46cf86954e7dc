"""Compare the gradients of two losses in the parameters that both reach."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Comparison(NamedTuple):
    """The gradient of a distillation loss against that of the task.

    Attributes:
        ratio: Norm of the one / norm of the other.
        cosine: Cosine of the angle between them: 1 the same direction, 0 at
            right angles, -1 opposite.
        tensors: Number of parameters that both losses reach.
    """

    ratio: float
    cosine: float
    tensors: int


def compare_gradients(
    task: Tensor, losses: Sequence[Tensor], model: nn.Module, scale: float = 1
) -> list[Comparison]:
    """Compare gradients in the parameters that both losses reach.

    Keeps the graph, and writes into no ``.grad``, so that a training step can
    follow.

    Args:
        task: The student's own loss, a scalar.
        losses: Distillation losses, scalars of the same graph.
        model: The student.
        scale: Multiplies all losses before, so that half precision keeps
            small gradients; ratio and cosine do not depend on it.

    Returns:
        One comparison for each of the losses.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    own = _gradients(task * scale, parameters)
    return [_compare(own, _gradients(x * scale, parameters)) for x in losses]


def _gradients(loss: Tensor, parameters: list) -> list[Tensor | None]:
    if not loss.requires_grad:  # one that has ended
        return [None] * len(parameters)
    return list(
        torch.autograd.grad(
            loss, parameters, retain_graph=True, allow_unused=True
        )
    )


def _compare(
    task: list[Tensor | None], other: list[Tensor | None]
) -> Comparison:
    both = [
        (a.double(), b.double())
        for a, b in zip(task, other, strict=True)
        if a is not None and b is not None
    ]
    if not both:
        return Comparison(0.0, 0.0, 0)
    dot = sum((a * b).sum() for a, b in both)
    norms = [
        sum(x.square().sum() for x in side) for side in zip(*both, strict=True)
    ]
    a, b = (float(norm) ** 0.5 for norm in norms)
    cosine = float(dot) / (a * b) if a and b else 0.0
    return Comparison(b / a if a else float('inf'), cosine, len(both))
