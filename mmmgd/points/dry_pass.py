"""A dry pass: which features a model has, and which of its modules run.

A blank image goes through the model, and a non-square one to confirm the
layouts. Nothing of the model changes: no BN statistics, no training flags,
no random numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .blank import blank_samples
from .forward import WAYS, Way, input_channels
from .image_size import (
    LADDER,
    Size,
    confirming_sizes,
    first_that_works,
)
from .layout import Layout, Shape, infer_layout
from .paths import find_module, split_point
from .watch import Seen, watched_pass


@dataclass
class DryPass:
    """The result of a dry pass.

    Attributes:
        image: Height and width of the image in pixels.
        channels: Channels of the image.
        way: How the model was run to get to all points.
        shapes: Shape at each point, as a map (N, C, H, W) where it is one.
        layouts: How the feature of each point becomes that map.
        levels: How often the module of a point ran, once on each level; 1
            for all others. The keys of `shapes` are then 'point@0', ….
        entered: Modules that had started to run when the last point had run.
        completed: Those of them that had also returned.
    """

    image: Size
    channels: int
    way: Way
    shapes: dict[str, Shape]
    layouts: dict[str, Layout]
    levels: dict[str, int]
    entered: set[str]
    completed: set[str]

    def shape(self, point: str) -> Shape:
        """Return the shape at a point, of several levels that of the first."""
        return self.shapes.get(point) or self.shapes[f'{point}@0']

    def runs(self, key: str) -> bool:
        """Whether the tensor of that name takes part in the pass.

        It does if the module that owns it started. If that one did not, the
        nearest module around it that started decides: if it also returned,
        the tensor may have been used without calling its owner (attention
        does that); if it was still running, what had not run never will.
        """
        owner = key.rpartition('.')[0]
        if owner in self.entered:
            return True
        while owner not in self.entered:
            owner = owner.rpartition('.')[0]
        return owner in self.completed


@torch.no_grad()
def dry_pass(
    model: nn.Module,
    points: Sequence[str],
    side: str,
    image: Size | None = None,
    written: Mapping[str, Mapping[str, Any]] | None = None,
) -> DryPass:
    """Run the model on a blank image up to its deepest point.

    The pass goes on until the part of the model that holds the last point has
    returned, so that a module which runs several times is seen to.

    Args:
        model: The model, on any device ('meta' included).
        points: Points of that model.
        side: 'student' or 'teacher', for messages and for what it may need.
        image: Height and width of the image in pixels. Defaults to the first
            of 224, 256, 384 and 512 that works.
        written: ``layout`` or ``tokens`` of points whose config says it.

    Raises:
        ValueError: If a point names no module or no tensor, or is not as
            `written`.
        DryPassError: If the model failed before all points had run.
        RuntimeError: If a point did not run, or several times on one level.
    """
    for point in points:
        find_module(model, split_point(point).module, side)
    if image is None:
        return first_that_works(
            LADDER, lambda size: dry_pass(model, points, side, size, written)
        )
    way, main = _reach(model, points, side, image)
    levels = {point: len(main.shapes[point]) for point in points}
    seen = {k: [(image, s)] for k, s in main.by_level().items()}
    for other in confirming_sizes(image):
        try:
            again = watched_pass(model, points, side, other, way)
        except (RuntimeError, ValueError):
            continue  # the model takes one size, or square ones, only
        for key, shape in again.by_level().items():
            seen.setdefault(key, []).append((other, shape))
        break
    layouts = _layouts(seen, written or {}, side)
    shapes = {k: layouts[k].shape_as_map(seen[k][0][1], image) for k in seen}
    return DryPass(
        image,
        input_channels(model, image),
        way,
        shapes,
        layouts,
        levels,
        main.entered,
        main.completed,
    )


def _layouts(
    seen: Mapping[str, Sequence[tuple[Size, Shape]]],
    written: Mapping[str, Mapping[str, Any]],
    side: str,
) -> dict[str, Layout]:
    layouts = {}
    for key, shapes in seen.items():
        point = key if key in written else key.partition('@')[0]
        try:
            layouts[key] = infer_layout(shapes, written.get(point, {}))
        except ValueError as error:
            raise ValueError(f'The {side} point {key!r}: {error}') from error
    return layouts


def _reach(
    model: nn.Module, points: Sequence[str], side: str, image: Size
) -> tuple[Way, Seen]:
    """Run the model in the first way that reaches all points."""
    first: Exception | None = None
    for way in WAYS[side]:
        if way.samples and blank_samples(model, image) is None:
            continue
        try:
            return way, watched_pass(model, points, side, image, way)
        except RuntimeError as error:
            first = first or error
    assert first is not None
    raise first
