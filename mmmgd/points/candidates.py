"""Which modules of a model can be a point, and which pairs to try first."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .dry_pass import blank_image, forward_tensor, quiet


class Candidate(NamedTuple):
    """Something that can be written as a point.

    Attributes:
        point: The module's path, with an index into a tuple output.
        shape: Shape of the feature for one image.
        stride: Pixels between two positions; None where it is no map.
        feature: Identifies the tensor: two names may return the same one.
    """

    point: str
    shape: tuple[int, ...]
    stride: float | None
    feature: int

    def __str__(self) -> str:
        stride = '' if self.stride is None else f'/{self.stride:g}'
        return f'{self.point:44} {self.shape!s:22} {stride}'.rstrip()


def stride_of(shape: Sequence[int], size: int) -> float | None:
    """Return the stride of a map (N, C, H, W) of an image of that size."""
    return size / shape[2] if len(shape) == 4 and shape[2] else None


def candidates(
    model: nn.Module, size: int = 128, trained: bool = False
) -> tuple[list[Candidate], str]:
    """List the points of a model, in the order in which they run.

    That is each module that runs once, returns a tensor (or a tuple of them)
    and is not overwritten in place later.

    Args:
        model: The model.
        size: Height and width in pixels of the image it is tried on.
        trained: Leave out what carries no gradient: frozen stages, and what
            lies inside activation checkpointing.

    Returns:
        The points, and why the pass ended early if it did ('' if not).
    """
    calls: Counter[str] = Counter()
    found: dict[str, list[tuple[str, Tensor, int]]] = {}

    def hook(name: str, module: nn.Module, args: Any, output: Any) -> None:
        calls[name] += 1
        found[name] = [(p, t, t._version) for p, t in _tensors(name, output)]

    handles = [
        module.register_forward_hook(partial(hook, name))
        for name, module in model.named_modules()
        if name
    ]
    reason = ''
    try:
        with quiet(model), torch.set_grad_enabled(trained):
            forward_tensor(model, blank_image(model, size))
    except Exception as error:  # of any kind: a head that misses its labels
        reason = f'{type(error).__name__}: {error}'.partition('\n')[0]
    finally:
        for handle in handles:
            handle.remove()
    return [
        Candidate(
            point, tuple(t.shape), stride_of(t.shape, size), t.data_ptr()
        )
        for name, outputs in found.items()
        if calls[name] == 1
        for point, t, version in outputs
        if t._version == version and t.requires_grad >= trained
    ], reason


def propose_pairs(
    student: Sequence[Candidate], teacher: Sequence[Candidate]
) -> list[tuple[Candidate, Candidate]]:
    """Pair what the paper pairs: all levels of a neck, else the last stage.

    A level is a stride; of the maps with that stride the last one counts.
    """
    for part in ('neck', 'backbone'):
        sides = [_last_of_each_stride(c, part) for c in (student, teacher)]
        if part == 'neck':
            sides = [_levels(side, c) for side, c in zip(
                sides, (student, teacher), strict=True)]  # fmt: skip
        common = sorted(sides[0].keys() & sides[1].keys())
        if part == 'backbone':  # not the stem, where only that is common
            common = [s for s in common if 2 * s >= max(sides[0])][-1:]
        if len(common) > 1 or part == 'backbone':  # pooling is no pyramid
            return [(sides[0][s], sides[1][s]) for s in common]
    return []


def readable(points: Sequence[Candidate], one: Candidate) -> Candidate:
    """Return the name to write first, of all names of the same tensor."""
    return min((c for c in points if c[1:] == one[1:]), key=_readability)


def _tensors(name: str, output: Any) -> list[tuple[str, Tensor]]:
    """Return the points that a module's output offers."""
    if isinstance(output, (tuple, list)):
        if len(output) == 1:
            return _tensors(name, output[0])
        return [
            (f'{name}[{i}]', item)
            for i, item in enumerate(output)
            if isinstance(item, Tensor)
        ]
    return [(name, output)] if isinstance(output, Tensor) else []


def _last_of_each_stride(
    points: Sequence[Candidate], part: str
) -> dict[float, Candidate]:
    """Return for each stride the last map, of outer modules before inner."""
    best: dict[float, Candidate] = {}
    for c in points:
        if c.stride and re.split(r'[.[]', c.point)[0] == part:
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
