"""Propose pairs of points for two models."""

import re
from collections.abc import Sequence
from math import inf, log

from .candidates import Candidate


def propose_pairs(
    student: Sequence[Candidate], teacher: Sequence[Candidate]
) -> list[tuple[Candidate, Candidate]]:
    """Pair what the paper pairs: all levels of a neck, else the last stage.

    A level is a stride; of the maps with that stride the last one counts.
    Where no stride is common, the last stage of the student is paired with
    the teacher's map of the nearest stride: it needs a `resize`.
    """
    necks = [
        _levels(_last_of_each_stride(c, 'neck'), c) for c in (student, teacher)
    ]
    common = sorted(necks[0].keys() & necks[1].keys())
    if len(common) > 1:  # pooling is no pyramid
        return [(necks[0][s], necks[1][s]) for s in common]
    mine, theirs = (_stages(c) for c in (student, teacher))
    if not mine or not theirs:
        return []
    common = [s for s in mine.keys() & theirs.keys() if 2 * s >= max(mine)]
    last = max(common or mine)  # not the stem, where only that is common
    nearest = min(theirs, key=lambda stride: abs(log(stride / last)))
    return [(mine[last], theirs[nearest])]


def needs_resize(pairs: Sequence[tuple[Candidate, Candidate]]) -> bool:
    """Whether maps of different size are paired."""
    return any(s.shape[2:] != t.shape[2:] for s, t in pairs)


def readable(points: Sequence[Candidate], one: Candidate) -> Candidate:
    """Return the name to write first, of all names of the same tensor."""
    return min((c for c in points if c[1:] == one[1:]), key=_readability)


def _stages(points: Sequence[Candidate]) -> dict[float, Candidate]:
    """Return the last map of each stride, up to what the backbone hands on.

    What is pooled inside of it and brought back (PIDNet's pyramid) is no
    stage, and hardly a feature: of small images one position is left.
    """
    best = _last_of_each_stride(points, 'backbone')
    handed = [
        c.stride
        for c in points
        if c.stride and re.fullmatch(r'backbone(\[.+\])?', c.point)
    ]
    last = max(handed, default=inf)
    if best and last < max(best):
        # Such ones hand on more in training (DDRNet): name a module inside.
        inner = [c for c in points if '.' in c.point]
        best = _last_of_each_stride(inner, 'backbone')
    stages = {s: c for s, c in best.items() if s <= last}
    return stages or _last_of_each_stride(points, '')


def _last_of_each_stride(
    points: Sequence[Candidate], part: str
) -> dict[float, Candidate]:
    """Return for each stride the last map, of outer modules before inner.

    Args:
        points: The points of a model.
        part: The part they have to lie in; '' for anywhere.
    """
    best: dict[float, Candidate] = {}
    for c in points:
        inside = part in ('', re.split(r'[.[]', c.point)[0])
        if c.stride and c.levels == 1 and inside:
            rival = best.get(c.stride, c)
            if c.point.count('.') <= rival.point.count('.'):
                best[c.stride] = c
    return {stride: readable(points, one) for stride, one in best.items()}


def _levels(
    best: dict[float, Candidate], points: Sequence[Candidate]
) -> dict[float, Candidate]:
    """Return the levels of a neck that a module of their own makes.

    A level that is only pooled from another one holds nothing new. Of a
    convolution with a norm the authors take what comes before the norm.
    """
    made = {s: c for s, c in best.items() if '[' not in c.point} or best
    names = {c.point: c for c in points}
    return {
        stride: inner
        if (inner := names.get(f'{c.point}.conv')) and inner.shape == c.shape
        else c
        for stride, c in made.items()
    }


def _readability(candidate: Candidate) -> tuple[bool, bool, int]:
    """Of several names of a tensor, order the one to write first."""
    name = candidate.point
    return '[' in name, '.' not in name, len(name)
