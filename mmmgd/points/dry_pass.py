"""A dry pass: which features a model has, and which of its modules run.

One small image of zeros goes through the model in eval mode. Nothing of the
model changes: no BN statistics, no training flags, no random numbers.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import nn

from mmmgd.rng import isolated_rng

from .tap import (
    PassEnded,
    check_calls,
    find_module,
    pick,
    split_point,
)

# Height and width in pixels of the image that models are tried on.
SIZE = 128
MAX_IMAGE_CHANNELS = 4


@dataclass
class DryPass:
    """What a dry pass has seen.

    Attributes:
        shapes: Shape of the feature at each point.
        entered: Modules that had started to run when the last point had run.
        completed: Those of them that had also returned.
    """

    shapes: dict[str, tuple[int, ...]]
    entered: set[str]
    completed: set[str]

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


@contextmanager
def quiet(model: nn.Module) -> Iterator[None]:
    """Run a model inside the block so that nothing of it changes."""
    training = {m: m.training for m in model.modules()}
    model.eval()
    try:
        with isolated_rng(0):
            yield
    finally:
        for module, flag in training.items():
            module.training = flag


def blank_image(model: nn.Module, size: int) -> torch.Tensor:
    """Return one image of zeros, (1, C, size, size), where the model is.

    C is what the first convolution takes: 1 for grey images, 4 with depth;
    and 3 where that is no number of image channels (slices, features).
    """
    convs = (m for m in model.modules() if isinstance(m, nn.Conv2d))
    first = next(convs, None)
    channels = first.in_channels if first is not None else 3
    channels = channels if channels <= MAX_IMAGE_CHANNELS else 3
    return next(model.parameters()).new_zeros(1, channels, size, size)


def forward_tensor(model: nn.Module, inputs: torch.Tensor) -> Any:
    """Run a model without labels, by MMEngine's convention if it has one."""
    if isinstance(model, BaseModel):
        return model(inputs, mode='tensor')
    return model(inputs)


@torch.no_grad()
def dry_pass(
    model: nn.Module, points: Sequence[str], side: str, size: int = SIZE
) -> DryPass:
    """Run the model on one image of zeros up to its deepest point.

    The pass goes on until the part of the model that holds the last point has
    returned, so that a module which runs several times is seen to.

    Args:
        model: The model, on any device ('meta' included).
        points: Points of that model.
        side: 'student' or 'teacher', for messages.
        size: Height and width of the image in pixels.

    Raises:
        ValueError: If a point names no module or no tensor.
        RuntimeError: If a point did not run exactly once, or the model failed
            before all points had run.
    """
    names = list(dict.fromkeys(split_point(p)[0] for p in points))
    for name in names:
        find_module(model, name, side)
    watch = _Watch(model, points, names, side)
    try:
        with quiet(model):
            forward_tensor(model, blank_image(model, size))
    except PassEnded:
        pass
    except Exception as error:
        if watch.result is None:
            missing = [n for n in names if not watch.calls[n]]
            raise RuntimeError(
                f'The {side} failed on a {size}x{size} image before the '
                f'point(s) {missing} ran: {type(error).__name__}: {error}. '
                'Points must lie where the model gets without labels.'
            ) from error
    finally:
        watch.remove()
    check_calls(watch.calls, names, side)
    assert watch.result is not None
    return watch.result


class _Watch:
    """Hooks on all modules of a model, for the time of one pass."""

    def __init__(
        self,
        model: nn.Module,
        points: Sequence[str],
        names: Sequence[str],
        side: str,
    ) -> None:
        self.points, self.names, self.side = points, names, side
        self.calls: Counter[str] = Counter()
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.entered: set[str] = set()
        self.completed: set[str] = set()
        self.result: DryPass | None = None
        self.handles = []
        for name, module in model.named_modules():
            self.handles += [
                module.register_forward_pre_hook(partial(self.enter, name)),
                module.register_forward_hook(partial(self.leave, name)),
            ]

    def enter(self, name: str, module: nn.Module, args: Any) -> None:
        self.entered.add(name)

    def leave(
        self, name: str, module: nn.Module, args: Any, output: Any
    ) -> None:
        self.completed.add(name)
        if name in self.names:
            self.calls[name] += 1
            for point in self.points:
                if split_point(point)[0] == name:
                    feature = pick(output, point, self.side)
                    self.shapes[point] = tuple(feature.shape)
        if self.result is None and all(self.calls[n] for n in self.names):
            self.result = DryPass(
                self.shapes, set(self.entered), set(self.completed)
            )
        if self.result is not None and '.' not in name:
            raise PassEnded

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()
