"""Draw scenes of small pictures, and write them like COCO.

Several items lie on a textured background among strokes that mean nothing.
What covers what is known, so that every item has the mask of its visible part.
:func:`draw_scene` draws, and knows no file format; ``digits.py`` and
``fashion_scenes.py`` are the command lines.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

SMOOTH = Image.Resampling.BICUBIC
MAX_SHARED = 0.25  # of an item: what later ones hide, or it hides of others
MIN_AREA = 12  # visible pixels that an item must keep
TRIES = 20  # places tried for an item before it is left out

# split -> images (n, h, w) and labels (n,) to choose from
Scans = dict[str, tuple[np.ndarray, np.ndarray]]


class Scene(NamedTuple):
    """An image and what can be seen in it.

    Attributes:
        image: RGB, uint8, with shape (H, W, 3).
        masks: Visible part of each item, bool, (n, H, W).
        labels: Class of each mask, (n,).
    """

    image: np.ndarray
    masks: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Style:
    """What scenes look like.

    Args:
        name: Of the kind of items.
        classes: Their names, in the order of the labels.
        cover: From an item's pixels, uint8, (h, w), how much of what lies
            below each of them hides: 0 to 1.
        paint: From a generator and an item's pixels, its colour: (3,), or
            (h, w, 3).
        items: In a scene, fewest and most.
        side: Of an item when placed, in pixels, smallest and largest.
        strokes: Fewest and most.
        blots: Cells along a side, and strength, of each layer of the
            background.
        noise: Standard deviation, in grey levels.
    """

    name: str
    classes: tuple[str, ...]
    cover: Callable[[np.ndarray], np.ndarray]
    paint: Callable[[np.random.Generator, np.ndarray], np.ndarray]
    items: tuple[int, int]
    side: tuple[int, int]
    strokes: tuple[int, int]
    blots: tuple[tuple[int, float], ...]
    noise: float


class Placed(NamedTuple):
    """An item at its place: what it hides, (H, W), and where it lies."""

    cover: np.ndarray
    pixels: np.ndarray
    window: tuple[slice, slice]


def draw_scene(
    rng: np.random.Generator,
    scans: np.ndarray,
    labels: np.ndarray,
    style: Style,
    size: int = 128,
) -> Scene:
    """Draw one scene; the same state of ``rng`` gives the same pixels.

    Args:
        rng: Where all choices come from.
        scans: Items to choose from, uint8, (n, h, w).
        labels: The class of each, (n,).
        style: What it looks like.
        size: Height and width of the image.

    Returns:
        At least one item, the topmost last.
    """
    image = _background(rng, size, style)
    masks, chosen = np.zeros((0, size, size), bool), []
    for _ in range(rng.integers(style.items[0], style.items[1] + 1)):
        scan = rng.integers(len(scans))
        item = _place(rng, scans[scan], masks, style, size)
        if item is None:
            continue
        masks = np.concatenate(
            [masks & (item.cover < 0.5), item.cover[None] >= 0.5]
        )
        chosen.append(labels[scan])
        under = image[item.window]
        color = style.paint(rng, item.pixels)
        under += item.cover[item.window][..., None] * (color - under)
    image += rng.normal(0, style.noise, image.shape)
    image = np.rint(image.clip(0, 255)).astype(np.uint8)
    return Scene(image, masks, np.array(chosen))


def _background(
    rng: np.random.Generator, size: int, style: Style
) -> np.ndarray:
    """Return coarse and fine blots with strokes, float, (size, size, 3)."""
    image = rng.uniform(30, 90) + np.zeros((size, size, 3))
    for cells, strength in style.blots:
        pixels = rng.integers(0, 256, (cells, cells, 3), np.uint8)
        blots = Image.fromarray(pixels).resize((size, size), SMOOTH)
        image += strength * (np.asarray(blots) / 255 - 0.5)
    strokes = Image.fromarray(image.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(strokes)
    for _ in range(rng.integers(style.strokes[0], style.strokes[1] + 1)):
        start = rng.uniform(0, size, 2)
        steps = rng.normal(0, 0.1 * size, (rng.integers(1, 4), 2))
        path = np.cumsum([start, *steps], axis=0)
        color = tuple(int(c) for c in rng.integers(100, 240, 3))
        draw.line(
            [(float(x), float(y)) for x, y in path],
            fill=color,
            width=int(rng.integers(1, 5)),
            joint='curve',
        )
    return np.asarray(strokes).astype(float)


def _place(
    rng: np.random.Generator,
    scan: np.ndarray,
    masks: np.ndarray,
    style: Style,
    size: int,
) -> Placed | None:
    """Return an item at a place where there is room, or None.

    There is room where the items that lie there stay visible enough.
    """
    for _ in range(TRIES):
        side = int(rng.integers(style.side[0], style.side[1] + 1))
        left, top = rng.integers(0, size - side + 1, 2)
        # Pillow resizes bytes in integer arithmetic: the same everywhere.
        large = Image.fromarray(scan).resize((side, side), SMOOTH)
        pixels = np.asarray(large)
        window = slice(top, top + side), slice(left, left + side)
        cover = np.zeros((size, size))
        cover[window] = style.cover(pixels)
        mask = cover >= 0.5
        area, shared = mask.sum(), (mask & masks.any(0)).sum()
        before, after = masks.sum((1, 2)), (masks & ~mask).sum((1, 2))
        fits = area - shared >= (1 - MAX_SHARED) * area
        leaves = after >= np.maximum((1 - MAX_SHARED) * before, MIN_AREA)
        if fits and area >= MIN_AREA and leaves.all():
            return Placed(cover, pixels, window)
    return None


def make_scene(
    split: str,
    number: int,
    scans: np.ndarray,
    labels: np.ndarray,
    style: Style,
    size: int,
) -> Scene:
    """Draw a scene by its number; a larger set contains the smaller one."""
    rng = np.random.default_rng([('train', 'val').index(split), number])
    return draw_scene(rng, scans, labels, style, size)


def write_coco(
    out: Path,
    scans: Scans,
    counts: dict[str, int],
    style: Style,
    size: int = 128,
) -> None:
    """Write scenes like COCO into an empty folder.

    ``<split>/NNNN.png`` and ``annotations/instances_<split>.json``; category
    ids are the labels plus one.

    Args:
        out: The folder.
        scans: Images and labels to choose from, for each split.
        counts: Scenes of each split.
        style: What they look like.
        size: Height and width of the images.
    """
    (out / 'annotations').mkdir(parents=True)
    for split, count in counts.items():
        (out / split).mkdir()
        images: list[dict] = []
        annotations: list[dict] = []
        for number in range(count):
            scene = make_scene(split, number, *scans[split], style, size)
            name = f'{number:04d}.png'
            Image.fromarray(scene.image).save(out / split / name)
            images.append(
                dict(id=number + 1, file_name=name, height=size, width=size)
            )
            for mask, label in zip(scene.masks, scene.labels, strict=True):
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=number + 1,
                        category_id=int(label) + 1,
                        iscrowd=0,
                        **describe(mask),
                    )
                )
        categories = [
            dict(id=i + 1, name=c) for i, c in enumerate(style.classes)
        ]
        content = dict(
            images=images, annotations=annotations, categories=categories
        )
        file = out / 'annotations' / f'instances_{split}.json'
        file.write_text(json.dumps(content) + '\n')


def describe(mask: np.ndarray) -> dict:
    """Return the box, area and run lengths of a mask, as COCO has them."""
    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    y, x = np.nonzero(mask)
    left, top = int(x.min()), int(y.min())
    return dict(
        bbox=[left, top, int(x.max()) + 1 - left, int(y.max()) + 1 - top],
        area=int(mask.sum()),
        segmentation=dict(
            size=list(mask.shape), counts=rle['counts'].decode()
        ),
    )
