"""Reading named features out of a model, without touching the model.

A *point* is the path of a module, as ``model.named_modules()`` spells it,
with an optional index into a tuple output: ``'backbone.layer4'``,
``'neck[0]'``.
"""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn


class PassEnded(BaseException):
    """Ends a forward pass whose remaining modules nobody needs.

    Not an ``Exception``, so that no model swallows it by accident.
    """


class FeatureTap:
    """Records what named modules return during one forward pass.

    Hooks live only while a pass is recorded. A copy of the model, such as the
    one that EMA makes, therefore never writes into this tap.

    Args:
        model: The model to read from.
        points: Points of that model.
        side: 'student' or 'teacher', for messages.

    Raises:
        ValueError: If a point names no module; close names are offered.
    """

    def __init__(
        self, model: nn.Module, points: Sequence[str], side: str
    ) -> None:
        self.side = side
        self.points = list(dict.fromkeys(points))
        self._modules = {
            name: find_module(model, name, side)
            for name in dict.fromkeys(split_point(p)[0] for p in points)
        }

    @contextmanager
    def record(self, stop: bool = False) -> Iterator[dict[str, Tensor]]:
        """Record the pass that runs inside the block.

        Args:
            stop: End the pass as soon as the last point has run.

        Yields:
            A dict that holds the feature of each point once the block ended.

        Raises:
            RuntimeError: If a point did not run, ran more than once, or was
                overwritten in place before the block ended.
        """
        features: dict[str, Tensor] = {}
        outputs: dict[str, Any] = {}
        versions: dict[str, int] = {}
        calls: Counter[str] = Counter()

        def hook(name: str, module: nn.Module, args: Any, output: Any) -> None:
            calls[name] += 1
            outputs[name] = output
            for point in self.points:
                if split_point(point)[0] == name:
                    features[point] = pick(output, point, self.side)
                    versions[point] = features[point]._version
            if stop and len(outputs) == len(self._modules):
                raise PassEnded

        handles = [
            module.register_forward_hook(partial(hook, name))
            for name, module in self._modules.items()
        ]
        try:
            yield features
        except PassEnded:
            pass
        finally:
            for handle in handles:
                handle.remove()
            outputs.clear()
        check_calls(calls, self._modules, self.side)
        for point, feature in features.items():
            if feature._version != versions[point]:
                raise RuntimeError(
                    f"The {self.side}'s feature at {point!r} was overwritten "
                    'in place by a later module (an activation with '
                    'inplace=True, most likely). Choose the point after that '
                    'module.'
                )


class Released(Mapping[str, Tensor]):
    """Features that are let go when they are read for the last time.

    Args:
        features: Feature at each point.
        reads: The points that will be read, once for each time.
    """

    def __init__(
        self, features: Mapping[str, Tensor], reads: Iterable[str]
    ) -> None:
        self._features = dict(features)
        self._left = Counter(reads)

    def __getitem__(self, point: str) -> Tensor:
        self._left[point] -= 1
        if self._left[point] > 0:
            return self._features[point]
        return self._features.pop(point)

    def __iter__(self) -> Iterator[str]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)


def split_point(point: str) -> tuple[str, int | None]:
    """Split 'neck[0]' into ('neck', 0), and 'neck' into ('neck', None)."""
    match = re.fullmatch(r'(.+?)(?:\[(-?\d+)\])?', point)
    if match is None:
        raise ValueError(
            "Expected a point such as 'neck.fpn_convs.0' or 'neck[0]', but "
            f'got {point!r}.'
        )
    index = match.group(2)
    return match.group(1), None if index is None else int(index)


def find_module(model: nn.Module, name: str, side: str) -> nn.Module:
    """Return the module of that name, or raise with the closest names."""
    modules = dict(model.named_modules())
    if name in modules and name:
        return modules[name]
    close = difflib.get_close_matches(name, list(modules), n=5, cutoff=0.5)
    raise ValueError(
        f'Expected a module of the {side} ({type(model).__name__}), but it '
        f'has none named {name!r}. Close names: '
        + (', '.join(map(repr, close)) or 'none')
        + '. List all of them with `dict(model.named_modules())`.'
    )


def pick(output: Any, point: str, side: str) -> Tensor:
    """Return the tensor that a point means from its module's output."""
    name, index = split_point(point)
    if isinstance(output, (tuple, list)):
        if index is None and len(output) == 1:
            index = 0
        if index is None or not -len(output) <= index < len(output):
            raise ValueError(
                f'The {side} module {name!r} returns {len(output)} outputs, '
                f"but the point is {point!r}. Pick one: '{name}[0]' to "
                f"'{name}[{len(output) - 1}]'."
            )
        output = output[index]
    elif index is not None:
        raise ValueError(
            f'The {side} module {name!r} returns one {type(output).__name__}, '
            f'so {point!r} has nothing to pick from. Write {name!r}.'
        )
    if not isinstance(output, Tensor):
        raise ValueError(
            f'Expected a tensor at the {side} point {point!r}, but got '
            f'{type(output).__name__}. Choose a module inside it.'
        )
    return output


def check_calls(
    calls: Counter[str], names: Sequence[str] | dict[str, Any], side: str
) -> None:
    """Raise unless each named module ran exactly once."""
    for name in names:
        if calls[name] == 0:
            raise RuntimeError(
                f'The {side} point {name!r} exists but did not run in this '
                'pass, so there is nothing to distil. Choose a module that '
                'takes part in training.'
            )
        if calls[name] > 1:
            raise RuntimeError(
                f'The {side} point {name!r} ran {calls[name]} times in one '
                'pass (a head shared over levels does), so its feature is '
                'ambiguous. Choose a module that runs once, such as the one '
                'before it on each level.'
            )
