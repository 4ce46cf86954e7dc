"""Small data in the layouts that the tutorials name."""

import json
from pathlib import Path

import numpy as np
from PIL import Image


def write_data(tutorial: str, folder: Path) -> None:
    """Write the data of a tutorial: a few images, easy to tell apart."""
    writers = {
        'classification': _classification,
        'detection': _coco,
        'instance_segmentation': _coco,
        'semantic_segmentation': _masks,
    }
    writers[tutorial](folder)


def _noise(seed: int, size: int = 96) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 120, (size, size, 3), dtype=np.uint8)


def _classification(folder: Path) -> None:
    """Write twelve images of three classes."""
    for split, name, i in [
        (s, n, i)
        for s in ('train', 'val')
        for n in ('ant', 'bee', 'fly')
        for i in range(4)
    ]:
        file = folder / split / name / f'{i}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = _noise(i, 40)
        pixels[:, :, len(name + str(i)) % 3] += 100
        Image.fromarray(pixels).save(file)


def _coco(folder: Path) -> None:
    """Write four scenes with a bright square each, in COCO's format."""
    kinds = [dict(id=i, name=n) for i, n in enumerate(('bolt', 'nut'))]
    for split in ('train', 'val'):
        (folder / split).mkdir(parents=True)
        images, objects = [], []
        for i in range(4):
            pixels = _noise(i)
            x, y = 8 + 10 * i, 40 - 8 * i
            right, low = x + 32, y + 32
            pixels[y:low, x:right] += 120
            Image.fromarray(pixels).save(folder / split / f'{i}.png')
            images.append(
                dict(id=i, file_name=f'{i}.png', height=96, width=96)
            )
            objects.append(
                dict(
                    id=i, image_id=i, category_id=i % 2, iscrowd=0,
                    bbox=[x, y, 32, 32], area=1024,
                    segmentation=[[x, y, right, y, right, low, x, low]],
                )
            )  # fmt: skip
        content = dict(images=images, annotations=objects, categories=kinds)
        (folder / f'{split}.json').write_text(json.dumps(content))


def _masks(folder: Path) -> None:
    """Write four images whose right half is a road."""
    for split in ('train', 'val'):
        for kind in ('images', 'masks'):
            (folder / kind / split).mkdir(parents=True)
        for i in range(4):
            pixels, mask = _noise(i), np.zeros((96, 96), np.uint8)
            pixels[:, 48:] += 100
            mask[:, 48:] = 1
            name = f'{split}/{i}.png'
            Image.fromarray(pixels).save(folder / 'images' / name)
            Image.fromarray(mask).save(folder / 'masks' / name)
