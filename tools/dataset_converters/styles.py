"""The look of scenes of digits and of scenes of clothes."""

import numpy as np
from PIL import Image, ImageFilter
from scenes import Style


def ink(pixels: np.ndarray) -> np.ndarray:
    """Return how much ink a scan of a digit has, sharper than the scan."""
    return ((pixels / 255 - 0.4) / 0.4).clip(0, 1)


def one_bright_color(
    rng: np.random.Generator, pixels: np.ndarray
) -> np.ndarray:
    """Return a colour that stands out from the background, (3,)."""
    return rng.uniform(150, 255, 3)


DIGITS = Style(
    name='digits',
    classes=tuple('0123456789'),
    cover=ink,
    paint=one_bright_color,
    items=(3, 6),
    side=(12, 64),
    strokes=(3, 8),
    blots=((4, 60), (24, 30)),
    noise=6,
)


def silhouette(pixels: np.ndarray) -> np.ndarray:
    """Return where a photograph on black shows something: 0 or 1.

    Dark holes that the outside does not reach belong to the item.
    """
    shown = pixels > 16
    # Small gaps in the outline are closed first.
    thick = Image.fromarray(shown.astype(np.uint8) * 255).filter(
        ImageFilter.MaxFilter(3)
    )
    outside = _flood(np.asarray(thick) > 0)
    return (shown | ~_grow(outside)).astype(float)


def _flood(wall: np.ndarray) -> np.ndarray:
    """Return what the border reaches without crossing a wall."""
    padded = np.pad(~wall, 1, constant_values=True)
    reached = np.zeros_like(padded)
    reached[0] = reached[-1] = reached[:, 0] = reached[:, -1] = True
    while True:
        more = reached.copy()
        more[1:] |= reached[:-1]
        more[:-1] |= reached[1:]
        more[:, 1:] |= reached[:, :-1]
        more[:, :-1] |= reached[:, 1:]
        more &= padded
        if (more == reached).all():
            return reached[1:-1, 1:-1]
        reached = more


def _grow(area: np.ndarray) -> np.ndarray:
    """Return an area with the pixels around it."""
    picture = Image.fromarray(area.astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.MaxFilter(3))) > 0


def tinted(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """Return the photograph in a colour of its own, (h, w, 3)."""
    color = rng.uniform(0.55, 1.0, 3)
    return (40 + pixels[..., None] * (215 / 255)) * color


FASHION = Style(
    name='fashion',
    classes=(
        'T-shirt',
        'trouser',
        'pullover',
        'dress',
        'coat',
        'sandal',
        'shirt',
        'sneaker',
        'bag',
        'ankle boot',
    ),
    cover=silhouette,
    paint=tinted,
    items=(2, 4),
    side=(28, 64),
    strokes=(0, 2),
    blots=((4, 40), (24, 12)),
    noise=4,
)
