"""Read the pairs of points from ``distill`` of a config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmmgd.config import check_keys

from .layout import AXES

RESIZE = ('student', 'teacher')
NEEDED = {'points', 'loss'}
OPTIONAL = {
    'auto',
    'connector',
    'decay_from',
    'every',
    'resize',
    'teacher',
    'until',
}


@dataclass(frozen=True)
class Pair:
    """A point of the student and the point of the teacher it learns from.

    Attributes:
        student: The student's point.
        teacher: The teacher's point.
        written: ``layout`` or ``tokens`` of these points, by side, where the
            config says it.
    """

    student: str
    teacher: str
    written: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def at_level(self, level: int) -> 'Pair':
        """Return the pair at one run of modules that run several times."""
        return replace(
            self,
            student=f'{self.student}@{level}',
            teacher=f'{self.teacher}@{level}',
        )


def parse_pairs(points: Any, name: str) -> list[Pair]:
    """Read the ``points`` of a distillation loss.

    Args:
        points: A point that both models have, a dict with one for each side
            (each a point or a list of points), or a list of these. A point is
            a path, or ``dict(point=path)`` with ``layout`` or ``tokens``.
        name: Name of the loss, for messages.

    Raises:
        ValueError: If the two sides differ in number, or it is none of these.
    """
    if _is_point(points):
        return [_pair(points, points, name)]
    if isinstance(points, Mapping) and set(points) == {'student', 'teacher'}:
        sides = [
            [side] if _is_point(side) else list(side)
            for side in (points['student'], points['teacher'])
        ]
        if len(sides[0]) != len(sides[1]):
            raise ValueError(
                f'Expected as many points of the student as of the teacher '
                f'in {name!r}, but got {len(sides[0])} {sides[0]} and '
                f'{len(sides[1])} {sides[1]}. Each pair is compared.'
            )
        return [_pair(s, t, name) for s, t in zip(*sides, strict=True)]
    if (
        isinstance(points, Sequence)
        and not isinstance(points, str)
        and len(points)
    ):
        return [pair for p in points for pair in parse_pairs(p, name)]
    raise ValueError(
        f"Expected `points` of {name!r} to be a module path, dict(student='…',"
        f" teacher='…'), or a list of these, but got {points!r}."
    )


def pairs_of(name: str, cfg: Mapping) -> list[Pair]:
    """Read the pairs of one entry of ``MGDDistill(distill=...)``.

    Raises:
        ValueError: If its name or its keys are not as documented.
    """
    if 'loss' not in name:
        raise ValueError(
            "Expected names in `distill` to contain 'loss', but got "
            f'{name!r}: MMEngine adds up only those. Write '
            f"'loss_{name}'."
        )
    check_keys(f'distill[{name!r}]', cfg, NEEDED | OPTIONAL, NEEDED)
    if cfg.get('resize') not in (None, *RESIZE):
        raise ValueError(
            f"Expected `resize` of distill[{name!r}] to be 'student' or "
            "'teacher', the side whose map takes the size of the other's, but "
            f'got {cfg["resize"]!r}.'
        )
    return parse_pairs(cfg['points'], name)


def written_layouts(
    pairs: Sequence[Pair], side: str
) -> dict[str, Mapping[str, Any]]:
    """Return what the config says of the points of one side.

    Raises:
        ValueError: If it says different things of one point.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for pair in pairs:
        said = pair.written.get(side)
        point = getattr(pair, side)
        if said and found.setdefault(point, said) != said:
            raise ValueError(
                f'The {side} point {point!r} is written as {found[point]} and '
                f'as {said}. Write the same everywhere.'
            )
    return found


def _is_point(value: Any) -> bool:
    return bool(
        (isinstance(value, str) and value)
        or (isinstance(value, Mapping) and 'point' in value)
    )


def _pair(student: Any, teacher: Any, name: str) -> Pair:
    paths: list[str] = []
    written: dict[str, Mapping[str, Any]] = {}
    for side, value in (('student', student), ('teacher', teacher)):
        path, said = _read_point(value, name)
        paths.append(path)
        if said:
            written[side] = said
    return Pair(paths[0], paths[1], written)


def _read_point(value: Any, name: str) -> tuple[str, dict[str, Any]]:
    """Split a point into its path and what is said about its layout."""
    if not _is_point(value):
        raise ValueError(
            f'Expected a point of {name!r} to be a module path or dict(point='
            f"'…'), but got {value!r}."
        )
    if isinstance(value, str):
        return value, {}
    said = {k: v for k, v in value.items() if k != 'point'}
    tokens = said.get('tokens')
    fine = {
        'layout': said.get('layout') in AXES,
        'tokens': isinstance(tokens, Mapping)
        and set(tokens) == {'prefix'}
        and type(tokens['prefix']) is int
        and tokens['prefix'] >= 0,
    }
    if len(said) > 1 or not all(fine.get(key) for key in said):
        raise ValueError(
            f'Expected dict(point={value["point"]!r}) of {name!r} to have '
            "layout='NCHW' or 'NHWC', or tokens=dict(prefix=1) with the "
            f'number of tokens that have no position, but got {said}.'
        )
    return value['point'], said
