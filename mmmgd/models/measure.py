"""Build the teachers and measure the features of both sides."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from mmmgd.points.dry_pass import DryPass, dry_pass
from mmmgd.points.image_size import Size, first_that_works
from mmmgd.points.pairs import Pair, written_layouts
from mmmgd.points.tap import Released
from mmmgd.teacher.teacher import Teacher

from .entry import Entry
from .inherit import check_inherit
from .term import DistillTerm


def measure(
    student: nn.Module,
    cfgs: Mapping[str, Mapping],
    entries: Sequence[Entry],
    parts: Mapping[str, Sequence[str]],
    sizes: Sequence[Size],
) -> tuple[DryPass, dict[str, Teacher]]:
    """Measure all points on the first size that all models can take.

    Args:
        student: The student.
        cfgs: Arguments of each teacher, by name.
        entries: What is compared.
        parts: What the student inherits from each teacher.
        sizes: Height and width of images to try.

    Returns:
        What was seen of the student, and the teachers.
    """
    every = [pair for entry in entries for pair in entry.pairs]
    points = [pair.student for pair in every]
    written = written_layouts(every, 'student')

    for name in cfgs:
        if not any(entry.teacher == name for entry in entries):
            raise ValueError(
                f'Expected an entry of `distill` with teacher={name!r}, but '
                'there is none. Add it, or remove that teacher.'
            )

    def attempt(size: Size) -> tuple[DryPass, dict[str, Teacher]]:
        seen = dry_pass(student, points, 'student', size, written)
        teachers = {}
        for name, cfg in cfgs.items():
            used = [e.pairs for e in entries if e.teacher == name]
            pairs = [pair for group in used for pair in group]
            teachers[name] = _build(cfg, pairs, parts[name], size)
            _check_channels(seen, teachers[name])
        return seen, teachers

    seen, teachers = first_that_works(sizes, attempt)
    for name, teacher in teachers.items():
        check_inherit(student, teacher.module, parts[name])
        teacher.listen(student)
    return seen, teachers


def parts_by_teacher(
    inherit: Any, teachers: Sequence[str]
) -> dict[str, list[str]]:
    """Return the parts that the student inherits from each teacher.

    Raises:
        ValueError: If it is not said from which of several teachers.
    """
    if isinstance(inherit, Mapping):
        unknown = [name for name in inherit if name not in teachers]
        if unknown:
            raise ValueError(
                f'Expected `inherit` to name teachers ({list(teachers)}), but '
                f'got {unknown[0]!r}.'
            )
        return {name: list(inherit.get(name, ())) for name in teachers}
    if inherit and len(teachers) > 1:
        raise ValueError(
            'Expected `inherit` to say from which teacher, but got '
            f'{list(inherit)}. Write inherit=dict({teachers[0]}='
            f'{list(inherit)}).'
        )
    return {name: list(inherit) for name in teachers}


def build_terms(
    entries: Sequence[Entry], seen: DryPass, teachers: Mapping[str, Teacher]
) -> nn.ModuleDict:
    """Build the losses, each by its name.

    Args:
        entries: What is compared.
        seen: What the dry pass has seen of the student.
        teachers: The teachers by name.
    """
    return nn.ModuleDict(
        {
            entry.name: DistillTerm(entry, seen, teachers[entry.teacher].seen)
            for entry in entries
        }
    )


def teach(
    teachers: Mapping[str, Teacher],
    active: Sequence[DistillTerm],
    inputs: Tensor,
    images: Sequence[Size] | None,
) -> dict[str, Released]:
    """Return the features of each teacher that a loss needs now.

    Args:
        teachers: The teachers by name.
        active: The losses that count at the moment.
        inputs: The student's batch, with shape (N, C, H, W).
        images: Height and width of each image without its padding.
    """
    reads: dict[str, list[str]] = {}
    for term in active:
        points = [pair.teacher for pair in term.pairs]
        reads.setdefault(term.teacher, []).extend(points)
    return {
        name: Released(teachers[name].extract(inputs, images), points)
        for name, points in reads.items()
    }


def _build(
    cfg: Mapping, pairs: Sequence[Pair], parts: Sequence[str], size: Size
) -> Teacher:
    points = [pair.teacher for pair in pairs]
    written = written_layouts(pairs, 'teacher')
    return Teacher(
        **cfg, points=points, parts=parts, image=size, written=written
    )


def _check_channels(seen: DryPass, teacher: Teacher) -> None:
    mine, theirs = seen.channels, teacher.seen.channels
    if mine != theirs:
        raise ValueError(
            f'The student takes images of {mine} channels, the teacher '
            f'({teacher.name}) of {theirs}. Both get the same batch: choose a '
            'teacher for these images.'
        )
