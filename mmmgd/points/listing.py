"""List the points of several models on one image size."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import nn

from .candidates import Candidate, candidates
from .image_size import Size

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

    def __str__(self) -> str:
        height, width = self.image
        return '\n'.join(
            [
                f'Points of the {self.side} ({self.model}), {height}x{width}:',
                *(f'  {point}' for point in self.points),
                f'  ... it goes no further ({self.reason})\n'
                if self.reason
                else '',
            ]
        )


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
