"""Write scenes of handwritten digits like Cityscapes.

``leftImg8bit/<split>/digits/<name>_leftImg8bit.png`` and, beside it in
``gtFine``, ``<name>_gtFine_labelTrainIds.png`` with the class of each pixel.
"""

from pathlib import Path

import numpy as np
from digit_scenes import CLASSES, Scans, Scene, make_scene
from PIL import Image, ImageFilter

SEGMENTATION_CLASSES = ('background', *CLASSES)
IGNORED = 255
CITY = 'digits'


def label_map(scene: Scene) -> np.ndarray:
    """Return the class of each pixel, uint8, (H, W).

    0 is the background, a digit its own number plus one. The pixels just
    outside a digit, where its ink fades, are nobody's: 255.
    """
    labels = np.zeros(scene.image.shape[:2], np.uint8)
    for mask in scene.masks:
        picture = Image.fromarray(mask.astype(np.uint8))
        labels[np.asarray(picture.filter(ImageFilter.MaxFilter(3))) > 0] = (
            IGNORED
        )
    for mask, digit in zip(scene.masks, scene.labels, strict=True):
        labels[mask] = digit + 1
    return labels


def write_cityscapes(
    out: Path, scans: Scans, counts: dict[str, int], size: int = 128
) -> None:
    """Write scenes like Cityscapes into an empty folder.

    Args:
        out: The folder.
        scans: Images and labels to choose from, for each split.
        counts: Scenes of each split.
        size: Height and width of the images.
    """
    for split, count in counts.items():
        folders = [
            out / kind / split / CITY for kind in ('leftImg8bit', 'gtFine')
        ]
        for folder in folders:
            folder.mkdir(parents=True)
        for number in range(count):
            scene = make_scene(split, number, *scans[split], size)
            name = f'{CITY}_{number:06d}_000000'
            pairs = [
                (scene.image, f'{name}_leftImg8bit.png'),
                (label_map(scene), f'{name}_gtFine_labelTrainIds.png'),
            ]
            for folder, (pixels, file) in zip(folders, pairs, strict=True):
                Image.fromarray(pixels).save(folder / file)
