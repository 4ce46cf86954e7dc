"""Choose the image size of the dry pass.

It is the student's own training crop where that is stated, so that shapes,
strides and costs are those of the training. `inspect`, the report and the
training use the same one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from mmmgd.config import Size, as_size, stated_size

Result = TypeVar('Result')

# Tried in this order where no training crop is stated.
LADDER: tuple[Size, ...] = ((224, 224), (256, 256), (384, 384), (512, 512))


class DryPassError(RuntimeError):
    """A model that did not get to its points on an image of some size."""


def image_sizes(
    model: Mapping[str, Any], wanted: Any = None
) -> Sequence[Size]:
    """Return the sizes to try a student on, best first.

    Args:
        model: Config of the student, with its ``data_preprocessor``.
        wanted: The only size, or one number for both sides, if it is given.

    Raises:
        ValueError: If `wanted` is no size.
    """
    size = as_size(wanted)
    if wanted is not None and size is None:
        raise ValueError(
            'Expected `image_size` to be a number of pixels or (height, '
            f'width), but got {wanted!r}.'
        )
    size = size or stated_size(model)
    return [size] if size else LADDER


def confirming_sizes(size: Size) -> list[Size]:
    """Return non-square sizes that confirm what a square image has shown.

    The half first, which costs a quarter of the double. Both fit wherever
    windows and strides fit the size itself, up to rounding.
    """
    height, width = size
    if height != width:
        return []
    halved = [(height // 2, width)] if height >= LADDER[0][0] else []
    return [*halved, (height, 2 * width)]


def first_that_works(
    sizes: Sequence[Size], attempt: Callable[[Size], Result]
) -> Result:
    """Return the first attempt that succeeds.

    Raises:
        DryPassError: That of the first size, if none works.
    """
    first: DryPassError | None = None
    for size in sizes:
        try:
            return attempt(size)
        except DryPassError as error:
            first = first or error
    assert first is not None
    raise first
