"""Which modules of a model can be a point."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .forward import WAYS, Way, run_blank
from .hooked import hooked
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
    model: nn.Module, image: Size, trained: bool = False, heads: bool = True
) -> tuple[list[Candidate], str]:
    """List the points of a model, in the order in which they run.

    That is each module that runs once, or once on each level of a pyramid,
    returns a tensor (or several) and is not overwritten in place later.

    Args:
        model: The model.
        image: Height and width in pixels of the image it is tried on.
        trained: Whether it is a student: leave out what carries no gradient
            (frozen stages, and what lies inside activation checkpointing).
        heads: Whether to go on with data samples where the model stops
            without them.

    Returns:
        The points, and why the pass ended early if it did ('' if not).
    """
    ways = WAYS['student' if trained else 'teacher'][: None if heads else 1]
    way, outputs, reason = _furthest(model, image, trained, ways)
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
        # What is pooled to one size for all images has no stride.
        fixed = len({shape for _, shape in seen}) < len(seen)
        stride = (
            stride_of(shape, image) if layout.is_map and not fixed else None
        )
        feature = runs[0][0].data_ptr()
        found.append(
            Candidate(point, shape, stride, feature, layout.kind, len(runs))
        )
    return found, reason


def _furthest(
    model: nn.Module, image: Size, trained: bool, ways: Sequence[Way]
) -> tuple[Way, Outputs, str]:
    """Run the model in the way in which most of its modules run."""
    tried = []
    for way in ways:
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

    inner = [(name, m) for name, m in model.named_modules() if name]
    try:
        with hooked(inner, after=hook), torch.set_grad_enabled(trained):
            run_blank(model, image, way)
    except Exception as error:  # of any kind: a head that misses its labels
        return outputs, f'{type(error).__name__}: {error}'.partition('\n')[0]
    return outputs, ''


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
