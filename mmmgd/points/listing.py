"""The points of several models, on the first image that all get through."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import nn

from .candidates import Candidate, candidates
from .image_size import Size


class Listed(NamedTuple):
    """The points of a model, and why there are no more."""

    side: str
    model: str
    image: Size
    points: list[Candidate]
    reason: str

    @classmethod
    def of(
        cls, side: str, model: nn.Module, image: Size, trained: bool = False
    ) -> 'Listed':
        """List the points of a model on an image of that size."""
        found = candidates(model, image, trained)
        return cls(side, type(model).__name__, image, *found)

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

    If there is none, those with the most points.
    """
    tried = []
    for size in sizes:
        tried.append(attempt(size))
        if not any(listed.reason for listed in tried[-1]):
            return tried[-1]
    return max(tried, key=lambda lists: sum(len(x.points) for x in lists))
