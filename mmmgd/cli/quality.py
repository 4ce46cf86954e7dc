"""Whether the teacher is better than the student alone, for `new`."""

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from mmmgd.engine.evaluate import evaluate
from mmmgd.teacher.build import published_weights

from .sources import Source, weights_of


def measured(
    cfg: Config, name: str, checkpoint: str | None, teacher: Source
) -> list[str]:
    """Measure a student trained alone and a teacher; say which is better.

    Args:
        cfg: Config of the student.
        name: How the user named it.
        checkpoint: Weights of the student, trained alone, or the work dir.
            None means those that its package publishes.
        teacher: The teacher.

    Raises:
        ValueError: If the student's weights are not known.
        FileNotFoundError: If weights or data are not there.
    """
    if checkpoint is None and '::' not in name:
        raise ValueError(
            '--evaluate measures the student as it is without a teacher, but '
            f'the weights of {name} are not known. Name the file of a '
            'training of it: --student-checkpoint FILE.'
        )
    if checkpoint and Path(checkpoint).is_dir():
        checkpoint = weights_of(Path(checkpoint))
    mine = evaluate(cfg, checkpoint or published_weights(name))
    file = teacher.checkpoint or published_weights(teacher.config)
    return compared(mine, evaluate(teacher.cfg, file))


def compared(
    student: Mapping[str, float], teacher: Mapping[str, float]
) -> list[str]:
    """Say in sentences how two models do; the first common metric decides."""
    metric = next((name for name in student if name in teacher), None)
    if metric is None:
        return [
            'Measured, but by different metrics: '
            f'{", ".join(student)} (student), {", ".join(teacher)} (teacher).'
        ]
    mine, theirs = student[metric], teacher[metric]
    said = [
        f'Measured ({metric}): student alone {mine:.4g}, teacher {theirs:.4g}.'
    ]
    if theirs <= mine:
        said.append(
            'WARNING: the teacher is no better than the student. It has '
            'little to teach; take a better one first.'
        )
    return said
