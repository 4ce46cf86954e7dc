"""What to distil for a student and a teacher, each choice with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mmmgd.points.candidates import Candidate
from mmmgd.points.dry_pass import dry_pass
from mmmgd.points.image_size import LADDER, Size
from mmmgd.points.listing import Listed, first_complete
from mmmgd.points.pairs import Pair
from mmmgd.points.propose import propose_pairs, readable

from .data_facts import same_classes
from .recipes import (
    IMITATES,
    IMITATION_BEARS,
    LOGITS,
    RECIPES,
    connector_of,
)
from .sides import Side, inheritable, loss_weight

Shape = tuple[int, ...]
Chosen = tuple[Pair, Shape, Shape]


@dataclass
class Proposal:
    """What a config is written from.

    Attributes:
        terms: Entries of ``distill``.
        inherit: Parts that start from the teacher's weights.
        clip: Largest norm of the gradient; None leaves the student's own.
        why: Reason of each choice, by the name of its key.
        unknown: What could not be found out, in sentences.
    """

    terms: dict[str, dict[str, Any]]
    inherit: list[str] = field(default_factory=list)
    clip: float | None = None
    why: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def propose(
    student: Side,
    teacher: Side,
    task: str,
    method: str = 'mgd',
    pairs: Sequence[Pair] = (),
    clipped: bool = False,
) -> Proposal:
    """Choose points, connector, weights and what is inherited.

    Args:
        student: The student.
        teacher: The teacher.
        task: A key of :data:`RECIPES`.
        method: A key of :data:`METHODS`.
        pairs: Points to take instead of those that would be proposed.
        clipped: Whether the student's config clips gradients already.

    Raises:
        ValueError: If there is nothing to pair, or the method does not fit.
    """
    recipe = RECIPES[task]
    points = _listed(student, teacher)
    chosen = _named(student, teacher, pairs) if pairs else _proposed(*points)
    weight, weight_why = loss_weight(recipe, student, teacher)
    term = dict(
        points=[pair for pair, _, _ in chosen],
        connector=connector_of(recipe, method),
        loss=dict(type='mmmgd.MGDLoss', loss_weight=weight),
    )
    result = Proposal({'loss_mgd': term})
    result.why = {
        'points': '\n'.join(_shapes(*one) for one in chosen),
        'connector': f'what is hidden, and λ, its share: {recipe.source}',
        'loss_weight': weight_why,
    }
    if any(s[2:] != t[2:] for _, s, t in chosen):
        term['resize'] = 'teacher'
        result.why['resize'] = "the teacher's maps take the student's size"
    if method == 'imitate':
        result.why['connector'] = IMITATES
        if task == 'classification':
            result.why['loss_weight'] += f'\n{IMITATION_BEARS}'
    if recipe.inherit:
        result.inherit, result.why['inherit'] = inheritable(student, teacher)
    if method == 'mgd+logits':
        _add_logits(result, task, student, teacher, points)
    aligned = any(s[1] != t[1] for _, s, t in chosen)
    clip = recipe.clip_aligned if aligned else recipe.clip
    if clip and not clipped:
        result.clip = clip
        result.why['clip_grad'] = f'as in {recipe.source}'
    return result


def _listed(
    student: Side, teacher: Side
) -> tuple[list[Candidate], list[Candidate]]:
    """List the points of both on the first image that they get through."""

    def attempt(size: Size) -> list[Listed]:
        return [
            Listed.of('student', student.model, size, heads=False),
            Listed.of('teacher', teacher.model, size, heads=False),
        ]

    sizes = [*LADDER, *([student.crop] if student.crop else [])]
    mine, theirs = first_complete(sizes, attempt)
    return mine.points, theirs.points


def _proposed(
    student: Sequence[Candidate], teacher: Sequence[Candidate]
) -> list[Chosen]:
    found = propose_pairs(student, teacher)
    if not found:
        strides = [
            ', '.join(f'{s:g}' for s in sorted({c.stride or 0 for c in side}))
            for side in (student, teacher)
        ]
        raise ValueError(
            'Expected maps in neck or backbone of both '
            f'models, but the strides of the student are {strides[0]}, those '
            f'of the teacher {strides[1]}. `python -m mmmgd inspect STUDENT '
            '--teacher TEACHER --all` lists all points; name pairs yourself '
            'by --points STUDENT_POINT=TEACHER_POINT.'
        )
    return [(Pair(s.point, t.point), s.shape, t.shape) for s, t in found]


def _named(
    student: Side, teacher: Side, pairs: Sequence[Pair]
) -> list[Chosen]:
    """Look up what a user has named; kind errors come from the dry pass."""
    size = student.crop
    mine = dry_pass(student.model, [p.student for p in pairs], 'student', size)
    theirs = dry_pass(
        teacher.model, [p.teacher for p in pairs], 'teacher', mine.image
    )
    return [(p, mine.shape(p.student), theirs.shape(p.teacher)) for p in pairs]


def _shapes(pair: Pair, student: Shape, teacher: Shape) -> str:
    names = pair.student
    if pair.teacher != pair.student:
        names += f' <- {pair.teacher}'
    sizes = ['x'.join(map(str, shape[1:])) for shape in (student, teacher)]
    return f'{names}: {sizes[0]} <- {sizes[1]}'


def _add_logits(
    result: Proposal,
    task: str,
    student: Side,
    teacher: Side,
    points: tuple[Sequence[Candidate], Sequence[Candidate]],
) -> None:
    if task not in LOGITS:
        raise ValueError(
            f'The authors have no loss on logits for {task}, only for '
            f'{" and ".join(LOGITS)}. Leave --method out.'
        )
    head = 'head' if task == 'classification' else 'decode_head'
    found = [
        [c for c in side if c.point.partition('.')[0] == head][-1:]
        for side in points
    ]
    if not all(found) or found[0][0].shape[1] != found[1][0].shape[1]:
        raise ValueError(
            'Expected logits of the same classes for --method mgd+logits, '
            f'but found {[str(c[0]) if c else "none" for c in found]}. Leave '
            '--method out: features need no common classes.'
        )
    if same_classes(student.classes, teacher.classes) is None:
        result.unknown.append(
            'Whether both models have the same classes, in the same order.'
        )
    name, loss = LOGITS[task]
    mine, theirs = (
        readable(side, one[0]) for side, one in zip(points, found, strict=True)
    )
    result.terms[name] = dict(
        points=[Pair(mine.point, theirs.point)], loss=loss
    )
    result.why[name] = 'the loss on logits that the authors add'
