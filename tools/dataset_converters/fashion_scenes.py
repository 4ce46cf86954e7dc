"""Write scenes of Fashion-MNIST's photographs, like COCO and Cityscapes.

Training scenes show training images that are not held out, validation scenes
show test images. Needs what ``fashion_mnist.py`` writes. The same options give
the same bytes. Layout ``folder`` is ImageNet's: one item a scene of half the
size, for backbones to begin with.

    python tools/dataset_converters/fashion_scenes.py --layout coco
    python tools/dataset_converters/fashion_scenes.py --layout cityscapes
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from _folder import write_whole
from cityscapes import write_cityscapes
from fashion_mnist import HELD_OUT, read_idx
from PIL import Image
from scenes import Scans, Style, make_scene, write_coco
from styles import FASHION

RECORD = 'fashion.json'
FILES = {'train': 'train', 'val': 't10k'}
SIZE = 128  # pixels, height and width


def write_folders(
    out: Path, scans: Scans, counts: dict[str, int], style: Style, size: int
) -> None:
    """Write scenes of one item each, ``<split>/<class>/NNNNN.png``.

    Args:
        out: An empty folder.
        scans: Images and labels to choose from, for each split.
        counts: Scenes of each split.
        style: What they look like.
        size: Of the other layouts' scenes; these have half of it.
    """
    half = size // 2
    one = replace(style, items=(1, 1), side=(half // 2, half))
    for split, count in counts.items():
        for number in range(count):
            scene = make_scene(split, number, *scans[split], one, half)
            name = style.classes[scene.labels[0]].replace(' ', '-')
            folder = out / split / name
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(scene.image).save(folder / f'{number:05}.png')


# layout -> what writes it, and how many scenes by default
LAYOUTS: dict[str, tuple[Callable, list[int]]] = {
    'coco': (write_coco, [4000, 1000]),
    'cityscapes': (write_cityscapes, [4000, 1000]),
    'folder': (write_folders, [20000, 2000]),
}


def load_scans(folder: Path) -> Scans:
    """Return the images and labels of each split.

    Raises:
        FileNotFoundError: If Fashion-MNIST is not there.
    """
    kept = {'train': slice(-HELD_OUT), 'val': slice(None)}
    return {
        split: (
            read_idx(folder / f'{file}-images-idx3-ubyte')[kept[split]],
            read_idx(folder / f'{file}-labels-idx1-ubyte')[kept[split]],
        )
        for split, file in FILES.items()
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--layout', choices=LAYOUTS, default='coco')
    parser.add_argument('--out', type=Path, help='data/fashion_<layout>')
    parser.add_argument(
        '--source', type=Path, default=Path('data/fashion-mnist')
    )
    parser.add_argument(
        '--scenes',
        type=int,
        nargs=2,
        metavar=('TRAIN', 'VAL'),
        help='default: 4000 1000; folder: 20000 2000',
    )
    args = parser.parse_args(argv)
    write, number = LAYOUTS[args.layout]
    number = args.scenes or number
    if min(number) < 1:
        parser.error('--scenes must be 1 or more of each')
    try:
        scans = load_scans(args.source)
    except FileNotFoundError as error:
        parser.error(f'{error}; `make data` writes Fashion-MNIST')
    counts = dict(zip(scans, number, strict=True))
    out = args.out or Path(f'data/fashion_{args.layout}')
    written = write_whole(
        out,
        {'layout': args.layout, 'scenes': number, 'size': SIZE},
        lambda folder: write(folder, scans, counts, FASHION, SIZE),
        RECORD,
    )
    print(
        f'{out}: {counts["train"]} training and {counts["val"]} validation '
        f'scenes {"written" if written else "already there, kept"}'
    )


if __name__ == '__main__':
    main()
