"""Record named features of a model by forward hooks."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from torch import Tensor, nn

from .forward import PassEnded
from .hooked import hooked
from .paths import check_calls, find_module, pick, split_point


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
            for name in dict.fromkeys(split_point(p).module for p in points)
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
        versions: dict[str, int] = {}
        calls: Counter[str] = Counter()

        def hook(name: str, module: nn.Module, args: Any, output: Any) -> None:
            for point in self.points:
                path = split_point(point)
                if path.module == name and path.run in (None, calls[name]):
                    features[point] = pick(output, point, self.side)
                    versions[point] = features[point]._version
            calls[name] += 1
            if stop and len(features) == len(self.points):
                raise PassEnded

        with hooked(self._modules.items(), after=hook), suppress(PassEnded):
            yield features
        check_calls(calls, self.points, self.side)
        for point, feature in features.items():
            if feature._version != versions[point]:
                raise RuntimeError(
                    f"The {self.side}'s feature at {point!r} was overwritten "
                    'in place by a later module (an activation with '
                    'inplace=True, most likely). Choose the point after that '
                    'module.'
                )


class Released(Mapping[str, Tensor]):
    """Features that are freed when they are read for the last time.

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
