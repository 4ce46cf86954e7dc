"""Which modules of a model can be a point, and which pairs to try first."""

import re
from collections.abc import Sequence
from functools import partial
from math import log
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .forward import WAYS, Way, run_blank
from .image_size import Size, confirming_sizes
from .layout import Shape, infer_layout, stride_of
from .paths import outputs_of

Outputs = dict[str, list[tuple[Tensor, int]]]  # with the version it had


class Candidate(NamedTuple):
    """Something that can be written as a point.

    Attributes:
        point: The module's path, with an index into a tuple output.
        shape: Shape of the feature for one image, as a map where it is one.
        stride: Pixels between two positions; None where it is no map.
        feature: Identifies the tensor: two names may return the same one.
        kind: Kind of its :class:`Layout`.
        levels: How often its module runs, once on each level of a pyramid.
    """

    point: str
    shape: Shape
    stride: float | None
    feature: int
    kind: str = 'NCHW'
    levels: int = 1

    def __str__(self) -> str:
        stride = '' if self.stride is None else f'/{self.stride:g}'
        notes = [f'on {self.levels} levels'] * (self.levels > 1)
        notes += [self.kind] * (self.kind in ('NHWC', 'tokens'))
        text = f'{self.point:44} {self.shape!s:22} {stride:4} '
        return (text + ', '.join(notes)).rstrip()


def candidates(
    model: nn.Module, image: Size, trained: bool = False
) -> tuple[list[Candidate], str]:
    """List the points of a model, in the order in which they run.

    That is each module that runs once, or once on each level of a pyramid,
    returns a tensor (or several) and is not overwritten in place later.

    Args:
        model: The model.
        image: Height and width in pixels of the image it is tried on.
        trained: Whether it is a student: leave out what carries no gradient
            (frozen stages, and what lies inside activation checkpointing).

    Returns:
        The points, and why the pass ended early if it did ('' if not).
    """
    way, outputs, reason = _furthest(model, image, trained)
    others = [
        (size, _run(model, size, way)[0])
        for size in confirming_sizes(image)[:1]
    ]
    found = []
    for point, runs in outputs.items():
        shapes = [tuple(tensor.shape) for tensor, _ in runs]
        usable = all(
            tensor._version == version and tensor.requires_grad >= trained
            for tensor, version in runs
        )
        if not usable or len(set(shapes)) < len(shapes):
            continue
        seen = [(image, shapes[0])] + [
            (size, tuple(other[point][0][0].shape))
            for size, other in others
            if point in other
        ]
        layout = infer_layout(seen, {})
        shape = layout.shape_as_map(shapes[0], image)
        stride = stride_of(shape, image) if layout.is_map else None
        feature = runs[0][0].data_ptr()
        found.append(
            Candidate(point, shape, stride, feature, layout.kind, len(runs))
        )
    return found, reason


def _furthest(
    model: nn.Module, image: Size, trained: bool
) -> tuple[Way, Outputs, str]:
    """Run the model in the way in which most of its modules run."""
    tried = []
    for way in WAYS['student' if trained else 'teacher']:
        tried.append((way, *_run(model, image, way, trained)))
        if not tried[-1][2]:
            break
    return max(tried, key=lambda one: len(one[1]))


def _run(
    model: nn.Module, image: Size, way: Way, trained: bool = False
) -> tuple[Outputs, str]:
    """Return what the modules of a model return, and why it ended early."""
    outputs: Outputs = {}

    def hook(name: str, module: nn.Module, args: Any, output: Any) -> None:
        for point, tensor in _tensors(name, output):
            outputs.setdefault(point, []).append((tensor, tensor._version))

    handles = [
        module.register_forward_hook(partial(hook, name))
        for name, module in model.named_modules()
        if name
    ]
    try:
        with torch.set_grad_enabled(trained):
            run_blank(model, image, way)
    except Exception as error:  # of any kind: a head that misses its labels
        return outputs, f'{type(error).__name__}: {error}'.partition('\n')[0]
    finally:
        for handle in handles:
            handle.remove()
    return outputs, ''


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
    mine, theirs = (
        _last_of_each_stride(c, 'backbone') or _last_of_each_stride(c, '')
        for c in (student, teacher)
    )
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


def _tensors(name: str, output: Any) -> list[tuple[str, Tensor]]:
    """Return the points that a module's output offers."""
    parts = outputs_of(output)
    if parts is None:
        return [(name, output)] if isinstance(output, Tensor) else []
    if len(parts) == 1:
        return _tensors(name, *parts.values())
    return [
        (f'{name}[{key}]', item)
        for key, item in parts.items()
        if isinstance(item, Tensor)
    ]


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
