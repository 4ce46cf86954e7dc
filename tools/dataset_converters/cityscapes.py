"""Write scenes of small pictures like Cityscapes.

``leftImg8bit/<split>/<style>/<name>_leftImg8bit.png`` and, beside it in
``gtFine``, ``<name>_gtFine_labelTrainIds.png`` with the class of each pixel.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from scenes import Scans, Scene, Style, make_scene

IGNORED = 255


def label_map(scene: Scene) -> np.ndarray:
    """Return the class of each pixel, uint8, (H, W).

    0 is the background, an item its own label plus one. The pixels just
    outside an item, where it fades, are nobody's: 255.
    """
    labels = np.zeros(scene.image.shape[:2], np.uint8)
    for mask in scene.masks:
        picture = Image.fromarray(mask.astype(np.uint8))
        labels[np.asarray(picture.filter(ImageFilter.MaxFilter(3))) > 0] = (
            IGNORED
        )
    for mask, label in zip(scene.masks, scene.labels, strict=True):
        labels[mask] = label + 1
    return labels


def write_cityscapes(
    out: Path,
    scans: Scans,
    counts: dict[str, int],
    style: Style,
    size: int = 128,
) -> None:
    """Write scenes like Cityscapes into an empty folder.

    Args:
        out: The folder.
        scans: Images and labels to choose from, for each split.
        counts: Scenes of each split.
        style: What they look like.
        size: Height and width of the images.
    """
    for split, count in counts.items():
        folders = [
            out / kind / split / style.name
            for kind in ('leftImg8bit', 'gtFine')
        ]
        for folder in folders:
            folder.mkdir(parents=True)
        for number in range(count):
            scene = make_scene(split, number, *scans[split], style, size)
            name = f'{style.name}_{number:06d}_000000'
            pairs = [
                (scene.image, f'{name}_leftImg8bit.png'),
                (label_map(scene), f'{name}_gtFine_labelTrainIds.png'),
            ]
            for folder, (pixels, file) in zip(folders, pairs, strict=True):
                Image.fromarray(pixels).save(folder / file)
