"""Read the features that an MGDDistill compares."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmmgd.points.dry_pass import forward_tensor, quiet

from .distill import MGDDistill


@torch.no_grad()
def compared_features(
    model: MGDDistill,
    inputs: Tensor,
    image_sizes: Sequence[tuple[int, int]] | None = None,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the student's and the teacher's feature at each point.

    Nothing of the model changes, and no graph is kept.

    Args:
        model: Its teacher has weights.
        inputs: As for :meth:`MGDDistill.forward`.
        image_sizes: As for :meth:`MGDDistill.forward`.
    """
    with quiet(model.student), model._tap.record(stop=True) as student:
        forward_tensor(model.student, inputs)
    teacher = model.teacher.extract(model._adapt(inputs, image_sizes))
    return student, teacher
