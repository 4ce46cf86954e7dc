"""What is compared with what: reading ``distill`` of a config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmmgd.config import check_keys

NEEDED = {'points', 'loss'}
OPTIONAL = {'connector', 'until', 'decay_from', 'auto'}


@dataclass(frozen=True)
class Pair:
    """A point of the student and the point of the teacher it learns from."""

    student: str
    teacher: str


def parse_pairs(points: Any, name: str) -> list[Pair]:
    """Read the ``points`` of a distillation loss.

    Args:
        points: A point that both models have, a dict with one for each side
            (each a point or a list of points), or a list of these.
        name: Name of the loss, for messages.

    Raises:
        ValueError: If the two sides differ in number, or it is none of these.
    """
    if isinstance(points, str):
        return [Pair(points, points)]
    if isinstance(points, Mapping) and set(points) == {'student', 'teacher'}:
        sides = [
            [side] if isinstance(side, str) else list(side)
            for side in (points['student'], points['teacher'])
        ]
        if len(sides[0]) != len(sides[1]):
            raise ValueError(
                f'Expected as many points of the student as of the teacher '
                f'in {name!r}, but got {len(sides[0])} {sides[0]} and '
                f'{len(sides[1])} {sides[1]}. Each pair is compared.'
            )
        return [Pair(s, t) for s, t in zip(*sides, strict=True)]
    if isinstance(points, Sequence) and points:
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
    return parse_pairs(cfg['points'], name)
