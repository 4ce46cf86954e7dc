"""Read the features that an MGDDistill compares."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmmgd.points.blank import blank_samples
from mmmgd.points.forward import forward, quiet
from mmmgd.points.layout import as_maps

from .distill import MGDDistill


@torch.no_grad()
def compared_features(
    model: MGDDistill,
    inputs: Tensor,
    image_sizes: Sequence[tuple[int, int]] | None = None,
) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    """Return the student's feature at each point, and each teacher's by name.

    Nothing of the model changes, and no graph is kept.

    Args:
        model: Its teacher has weights.
        inputs: As for :meth:`MGDDistill.forward`.
        image_sizes: As for :meth:`MGDDistill.forward`.
    """
    size, way = (inputs.shape[-2], inputs.shape[-1]), model.seen.way
    samples = blank_samples(model.student, size, [size] * len(inputs))
    with quiet(model.student), model._tap.record(stop=True) as student:
        forward(model.student, inputs, way, samples)
    teachers = {
        name: teacher.extract(inputs, image_sizes)
        for name, teacher in model.teachers.items()
    }
    return as_maps(student, model.seen.layouts, size), teachers
