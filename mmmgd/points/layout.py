"""Turn what a module returns into a map (N, C, H, W).

Read are maps (N, C, H, W); channels-last maps (N, H, W, C), as timm's Swin
has them; and tokens (N, L, C) with class or register tokens in front, as ViT
has them. The layout follows from what a dry pass has seen at images of known
size: height and width follow the image, channels do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import ceil, inf
from typing import Any

from torch import Tensor

from .image_size import Size

Shape = tuple[int, ...]
Seen = Sequence[tuple[Size, Shape]]  # sizes of images, and what came of them

# ViT has one class token, DeiT two, DINOv2 with registers five.
MAX_PREFIX = 8
MAX_PATCH = 128
AXES = {'NCHW': (1, 2, 3), 'NHWC': (3, 1, 2)}


@dataclass(frozen=True)
class Layout:
    """Where a feature has its channels and its positions.

    Attributes:
        kind: 'NCHW', 'NHWC', 'tokens', 'vector' (N, C), or 'unknown'.
        prefix: Tokens in front that belong to no position.
        patch: Pixels from one token to the next.
    """

    kind: str = 'NCHW'
    prefix: int = 0
    patch: int = 0

    @property
    def is_map(self) -> bool:
        """Whether the feature has positions."""
        return self.kind in ('NCHW', 'NHWC', 'tokens')

    def shape_as_map(self, shape: Shape, image: Size) -> Shape:
        """Return the shape that :meth:`as_map` gives."""
        if self.kind == 'tokens':
            grid = self._grid(shape[1], image)
            return shape[0], shape[2], *grid
        if self.kind == 'NHWC':
            return shape[0], shape[3], shape[1], shape[2]
        return shape

    def as_map(self, feature: Tensor, image: Size) -> Tensor:
        """Return a feature as a map (N, C, H, W); others as they are.

        Args:
            feature: What the module returned.
            image: Height and width of the model's input in pixels.

        Raises:
            RuntimeError: If the tokens do not fit the image.
        """
        if self.kind == 'tokens':
            grid = self._grid(feature.shape[1], image)
            tokens = feature[:, self.prefix :]  # (N, H · W, C)
            return tokens.transpose(1, 2).unflatten(2, grid)
        if self.kind == 'NHWC':
            return feature.permute(0, 3, 1, 2)
        return feature

    def _grid(self, count: int, image: Size) -> Size:
        grid = _grid_of(count - self.prefix, image, self.patch)
        if grid is not None:
            return grid
        raise RuntimeError(
            f'Expected {self.prefix} tokens in front and one for every '
            f'{self.patch}x{self.patch} pixels of a {image[0]}x{image[1]} '
            f'image, but got {count} tokens: they fit no grid. Train on sizes '
            f'that are multiples of {self.patch}.'
        )


def infer_layout(seen: Seen, written: Mapping[str, Any]) -> Layout:
    """Find the layout of a feature.

    Args:
        seen: Sizes of images and the shape at each, one or two of them.
        written: What the config says: nothing, or ``layout`` or ``tokens``.

    Returns:
        The layout; of kind 'unknown' if it cannot be told.

    Raises:
        ValueError: If what is written does not fit what is seen.
    """
    size, shape = seen[0]
    if 'layout' in written:
        if len(shape) == 4:
            return Layout(written['layout'])
        raise ValueError(
            f'layout={written["layout"]!r} is for features with four axes, '
            f'but it has {shape} on a {size[0]}x{size[1]} image.'
        )
    if 'tokens' in written:
        found = _infer_tokens(seen, written['tokens'].get('prefix'))
        if found.is_map:
            return found
        raise ValueError(
            f'tokens={dict(written["tokens"])} does not fit: it has {shape} '
            f'on a {size[0]}x{size[1]} image, and without the tokens in front '
            'the rest has to be one for each square of pixels.'
        )
    if len(shape) == 3:
        return _infer_tokens(seen, None)
    if len(shape) == 4:
        kinds = [kind for kind in AXES if _fits_all(seen, *AXES[kind])]
        kinds = kinds or [k for k in AXES if _follows_all(seen, *AXES[k])]
        return Layout(kinds[0] if len(kinds) == 1 else 'unknown')
    return Layout('vector' if len(shape) == 2 else 'unknown')


def as_maps(
    features: Mapping[str, Tensor], layouts: Mapping[str, Layout], image: Size
) -> dict[str, Tensor]:
    """Return each feature as a map, where it is one."""
    return {k: layouts[k].as_map(f, image) for k, f in features.items()}


def stride_of(shape: Shape, image: Size) -> float | None:
    """Return the pixels between two positions of a map; None if it is none.

    Where the image is no multiple of it, the last position is incomplete: a
    power of two is taken that explains it.
    """
    if len(shape) != 4 or not shape[2]:
        return None
    height, rows = image[0], shape[2]
    powers = [2**i for i in range(1, 10)] if rows > 1 else []
    rounded = (p for p in powers if rows in (height // p, -(-height // p)))
    return next(rounded, height / rows)


def _infer_tokens(seen: Seen, prefix: int | None) -> Layout:
    """Find the patch size and the tokens in front that all shapes agree on."""
    image, shape = seen[0]
    channels = {shape[2:] for _, shape in seen}
    if len(shape) != 3 or shape[0] != 1 or len(channels) > 1:
        return Layout('unknown')
    # Several patch sizes give one grid: keep that which divides best.
    found: dict[tuple, tuple[float, Layout]] = {}
    prefixes = range(MAX_PREFIX + 1) if prefix is None else [prefix]
    for number, patch in product(prefixes, range(1, MAX_PATCH + 1)):
        layout = Layout('tokens', number, patch)
        grids = tuple(
            _grid_of(shape[1] - number, size, patch) for size, shape in seen
        )
        if grids[0] and None not in grids:
            rest = abs(image[0] / grids[0][0] - patch)
            best = found.setdefault((number, grids), (rest, layout))
            found[number, grids] = min(best, (rest, layout), key=_first)
    if len(found) == 1:
        rest, layout = found.popitem()[1]
        # One image, which it does not even divide, proves nothing.
        if rest == 0 or len(seen) > 1 or prefix is not None:
            return layout
    return Layout('unknown')


def _first(pair: tuple[float, Layout]) -> float:
    return pair[0]


def _grid_of(count: int, image: Size, patch: int) -> Size | None:
    """Return the grid of so many patches; the last may be incomplete."""
    height, width = image
    for grid in (
        (height // patch, width // patch),
        (ceil(height / patch), ceil(width / patch)),
    ):
        if grid[0] * grid[1] == count > 0:
            return grid
    return None


def _fits_all(seen: Seen, c: int, h: int, w: int) -> bool:
    """Whether these axes are channels, height and width at every size."""
    return len({shape[c] for _, shape in seen}) == 1 and all(
        _fits((shape[h], shape[w]), image) for image, shape in seen
    )


def _follows_all(seen: Seen, c: int, h: int, w: int) -> bool:
    """Whether height and width grow with the image's, and channels do not.

    So they do after convolutions without padding, which no stride explains.
    """
    if len(seen) < 2 or len({shape[c] for _, shape in seen}) > 1:
        return False
    pairs = {
        (image[i], s[a]) for image, s in seen for i, a in ((0, h), (1, w))
    }
    sides, grids = zip(*sorted(pairs), strict=True)
    return len({*sides}) == len({*grids}) == len(pairs) > 1 and all(
        a < b for a, b in pairwise(grids)
    )


def _fits(grid: Size, image: Size) -> bool:
    """Whether one stride leads from the image to the grid, up to rounding."""
    if image[0] == image[1]:
        return grid[0] == grid[1] > 0
    low = max(x / (g + 1) for x, g in zip(image, grid, strict=True))
    high = min(
        x / (g - 1) if g > 1 else inf for x, g in zip(image, grid, strict=True)
    )
    return low <= high and 0 not in grid
