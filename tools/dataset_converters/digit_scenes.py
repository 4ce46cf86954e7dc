"""Draw scenes of handwritten digits, and write them like COCO.

Several digits, between 12 and 64 pixels high, lie on a textured background
among strokes that mean nothing. What covers what is known, so that every digit
has the mask of its visible part. :func:`draw_scene` draws, and knows no file
format; ``digits.py`` is the command line.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

CLASSES = tuple('0123456789')
SMOOTH = Image.Resampling.BICUBIC
DIGITS = (3, 6)  # in a scene, fewest and most
SIDE = (12, 64)  # of a scan when placed, in pixels
STROKES = (3, 8)
MAX_SHARED = 0.25  # of a digit: what later ones hide, or it hides of others
MIN_AREA = 12  # visible pixels that a digit must keep
TRIES = 20  # places tried for a digit before it is left out

# split -> images (n, 8, 8) and labels (n,) to choose from
Scans = dict[str, tuple[np.ndarray, np.ndarray]]


class Scene(NamedTuple):
    """An image and what can be seen in it.

    Attributes:
        image: RGB, uint8, with shape (H, W, 3).
        masks: Visible part of each digit, bool, (n, H, W).
        labels: Digit of each mask, (n,).
    """

    image: np.ndarray
    masks: np.ndarray
    labels: np.ndarray


def draw_scene(
    rng: np.random.Generator,
    scans: np.ndarray,
    labels: np.ndarray,
    size: int = 128,
) -> Scene:
    """Draw one scene; the same state of ``rng`` gives the same pixels.

    Args:
        rng: Where all choices come from.
        scans: Digits to choose from, uint8, (n, 8, 8).
        labels: Which digit each scan is, (n,).
        size: Height and width of the image.

    Returns:
        At least one digit, the topmost last.
    """
    image = _background(rng, size)
    masks, chosen = np.zeros((0, size, size), bool), []
    for _ in range(rng.integers(DIGITS[0], DIGITS[1] + 1)):
        scan = rng.integers(len(scans))
        ink = _place(rng, scans[scan], masks, size)
        if ink is None:
            continue
        masks = np.concatenate([masks & (ink < 0.5), ink[None] >= 0.5])
        chosen.append(labels[scan])
        color = rng.uniform(150, 255, 3)
        image += ink[..., None] * (color - image)
    image += rng.normal(0, 6, image.shape)
    image = np.rint(image.clip(0, 255)).astype(np.uint8)
    return Scene(image, masks, np.array(chosen))


def _background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return coarse and fine blots with strokes, float, (size, size, 3)."""
    image = rng.uniform(30, 90) + np.zeros((size, size, 3))
    for cells, strength in ((4, 60), (24, 30)):
        pixels = rng.integers(0, 256, (cells, cells, 3), np.uint8)
        blots = Image.fromarray(pixels).resize((size, size), SMOOTH)
        image += strength * (np.asarray(blots) / 255 - 0.5)
    strokes = Image.fromarray(image.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(strokes)
    for _ in range(rng.integers(STROKES[0], STROKES[1] + 1)):
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
    rng: np.random.Generator, scan: np.ndarray, masks: np.ndarray, size: int
) -> np.ndarray | None:
    """Return how much ink of a scan is at each pixel, and None for no room.

    There is room where the digits that lie there stay visible enough.
    """
    for _ in range(TRIES):
        side = int(rng.integers(SIDE[0], SIDE[1] + 1))
        left, top = rng.integers(0, size - side + 1, 2)
        # Pillow resizes bytes in integer arithmetic: the same everywhere.
        large = Image.fromarray(scan).resize((side, side), SMOOTH)
        ink = np.zeros((size, size))
        ink[top : top + side, left : left + side] = np.asarray(large) / 255
        ink = ((ink - 0.4) / 0.4).clip(0, 1)  # sharper than the scan
        mask = ink >= 0.5
        area, shared = mask.sum(), (mask & masks.any(0)).sum()
        before, after = masks.sum((1, 2)), (masks & ~mask).sum((1, 2))
        fits = area - shared >= (1 - MAX_SHARED) * area
        leaves = after >= np.maximum((1 - MAX_SHARED) * before, MIN_AREA)
        if fits and area >= MIN_AREA and leaves.all():
            return ink
    return None


def make_scene(
    split: str, number: int, scans: np.ndarray, labels: np.ndarray, size: int
) -> Scene:
    """Draw a scene by its number; a larger set contains the smaller one."""
    rng = np.random.default_rng([('train', 'val').index(split), number])
    return draw_scene(rng, scans, labels, size)


def write_coco(
    out: Path, scans: Scans, counts: dict[str, int], size: int = 128
) -> None:
    """Write scenes like COCO into an empty folder.

    ``<split>/NNNN.png`` and ``annotations/instances_<split>.json``; category
    ids are the digits plus one.

    Args:
        out: The folder.
        scans: Images and labels to choose from, for each split.
        counts: Scenes of each split.
        size: Height and width of the images.
    """
    (out / 'annotations').mkdir(parents=True)
    for split, count in counts.items():
        (out / split).mkdir()
        images: list[dict] = []
        annotations: list[dict] = []
        for number in range(count):
            scene = make_scene(split, number, *scans[split], size)
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
        categories = [dict(id=i + 1, name=c) for i, c in enumerate(CLASSES)]
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
