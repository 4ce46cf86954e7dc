"""Write scenes of Fashion-MNIST's photographs, like COCO and Cityscapes.

Training scenes show training images that are not held out, validation scenes
show test images. Needs what ``fashion_mnist.py`` writes. The same options give
the same bytes.

    python tools/dataset_converters/fashion_scenes.py --layout coco
    python tools/dataset_converters/fashion_scenes.py --layout cityscapes
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from _folder import write_whole
from cityscapes import write_cityscapes
from fashion_mnist import HELD_OUT, read_idx
from scenes import Scans, write_coco
from styles import FASHION

RECORD = 'fashion.json'
WRITERS = {'coco': write_coco, 'cityscapes': write_cityscapes}
FILES = {'train': 'train', 'val': 't10k'}


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
    parser.add_argument('--layout', choices=WRITERS, default='coco')
    parser.add_argument('--out', type=Path, help='data/fashion_<layout>')
    parser.add_argument(
        '--source', type=Path, default=Path('data/fashion-mnist')
    )
    parser.add_argument(
        '--scenes',
        type=int,
        nargs=2,
        default=[4000, 1000],
        metavar=('TRAIN', 'VAL'),
        help='default: 4000 1000',
    )
    args = parser.parse_args(argv)
    if min(args.scenes) < 1:
        parser.error('--scenes must be 1 or more of each')
    try:
        scans = load_scans(args.source)
    except FileNotFoundError as error:
        parser.error(f'{error}; `make data` writes Fashion-MNIST')
    counts = dict(zip(scans, args.scenes, strict=True))
    out = args.out or Path(f'data/fashion_{args.layout}')
    written = write_whole(
        out,
        {'layout': args.layout, 'scenes': args.scenes, 'size': 128},
        lambda folder: WRITERS[args.layout](folder, scans, counts, FASHION),
        RECORD,
    )
    print(
        f'{out}: {counts["train"]} training and {counts["val"]} validation '
        f'scenes {"written" if written else "already there, kept"}'
    )


if __name__ == '__main__':
    main()
