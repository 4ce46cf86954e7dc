"""List the points of several models on one image size."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import nn

from .candidates import Candidate, candidates
from .image_size import Size
from .propose import readable

# Parts in front of the heads.
TRUNK = ('backbone', 'neck')


class Listed(NamedTuple):
    """The points of a model, and why there are no more."""

    side: str
    model: str
    image: Size
    points: list[Candidate]
    reason: str
    complete: bool

    @classmethod
    def of(
        cls, side: str, model: nn.Module, image: Size, heads: bool = True
    ) -> 'Listed':
        """List the points of a model on an image of that size.

        Args:
            side: 'student', or what else it is in messages.
            model: The model.
            image: Height and width in pixels.
            heads: Whether to go on into heads that need data samples.
        """
        found, reason = candidates(model, image, side == 'student', heads)
        ran = {re.split(r'[.[]', candidate.point)[0] for candidate in found}
        parts = {name for name in TRUNK if hasattr(model, name)}
        name = type(model).__name__
        complete = not reason or (bool(parts) and parts <= ran)
        return cls(side, name, image, found, reason, complete)

    def text(self, every: bool = True) -> str:
        """Return the list as text.

        Args:
            every: Whether to list all points, or one of each stage and level.
        """
        height, width = self.image
        shown = self.points if every else short_list(self.points)
        left = len(self.points) - len(shown)
        return '\n'.join(
            [
                f'Points of the {self.side} ({self.model}), {height}x{width}:',
                *(f'  {point}' for point in shown),
                *([f'  ({left} more: --all)'] if left else []),
                f'  ... it goes no further ({self.reason})\n'
                if self.reason
                else '',
            ]
        )


def short_list(points: Sequence[Candidate]) -> list[Candidate]:
    """Return the last map of each stride, and what the heads return.

    Of outer modules before inner, as :func:`propose_pairs` chooses.
    """
    best: dict[tuple, Candidate] = {}
    for one in points:
        part = re.split(r'[.[]', one.point)[0]
        size = one.stride if part in TRUNK else one.shape
        key = (part, one.levels, size)
        rival = best.get(key, one)
        if one.point.count('.') <= rival.point.count('.'):
            best[key] = one
    kept = [readable(points, one) for one in best.values()]
    return [one for one in points if one in kept]


def first_complete(
    sizes: Sequence[Size], attempt: Callable[[Size], list[Listed]]
) -> list[Listed]:
    """Return the lists of the first size that all models get through.

    Heads may stop for other reasons. If no size will do, it is that with the
    most points.
    """
    tried = []
    for size in sizes:
        tried.append(attempt(size))
        if all(listed.complete for listed in tried[-1]):
            return tried[-1]
    return max(tried, key=lambda lists: sum(len(x.points) for x in lists))
