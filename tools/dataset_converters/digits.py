"""Write scikit-learn's handwritten digits in the layouts of real datasets.

1,797 scans of 8x8 pixels come with scikit-learn: nothing is downloaded. They
are written like ImageNet, as ``<out>/{train,val}/<class>/NNNN.png``, where
NNNN is the number of the scan in ``sklearn.datasets.load_digits``; or, drawn
into scenes, like COCO or Cityscapes. The same options give the same bytes.

    python tools/dataset_converters/digits.py --out data/digits
    python tools/dataset_converters/digits.py --layout coco
    python tools/dataset_converters/digits.py --layout cityscapes
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _folder import write_whole
from cityscapes import write_cityscapes
from PIL import Image
from scenes import write_coco
from sklearn.datasets import load_digits
from styles import DIGITS

NUM_CLASSES = 10
POOL_PER_CLASS = 74  # scans kept for training; all others are for validation
RECORD = 'digits.json'  # written last: its digest says the folder is whole
# layout -> default folder, and what writes its scenes
LAYOUTS: dict[str, tuple[Path, Callable | None]] = {
    'folder': (Path('data/digits'), None),
    'coco': (Path('data/digits_coco'), write_coco),
    'cityscapes': (Path('data/digits_cityscapes'), write_cityscapes),
}


def split_scans(train_per_class: int) -> dict[str, np.ndarray]:
    """Divide the scans into training and validation.

    The validation scans are the same whatever ``train_per_class`` is, and a
    larger training set contains the smaller one.

    Args:
        train_per_class: Training scans of each digit, 1 to 74.

    Returns:
        Under 'train' and 'val', the numbers of the scans in
        ``load_digits``, sorted.
    """
    if not 1 <= train_per_class <= POOL_PER_CLASS:
        raise ValueError(
            f'train_per_class must be 1 to {POOL_PER_CLASS} (the others are '
            f'kept for validation), got {train_per_class}'
        )
    labels = load_digits().target
    random = np.random.RandomState(0)  # its stream is frozen by numpy
    train, val = [], []
    for digit in range(NUM_CLASSES):
        scans = random.permutation(np.flatnonzero(labels == digit))
        train.append(scans[:train_per_class])
        val.append(scans[POOL_PER_CLASS:])
    return {
        'train': np.sort(np.concatenate(train)),
        'val': np.sort(np.concatenate(val)),
    }


def load_scans() -> tuple[np.ndarray, np.ndarray]:
    """Return images (1797, 8, 8) in 0..255 and labels (1797,)."""
    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return images, digits.target


def write_folders(out: Path, train_per_class: int) -> None:
    """Write ImageNet's layout, one folder a class, into an empty folder."""
    images, labels = load_scans()
    for split, scans in split_scans(train_per_class).items():
        for scan in scans:
            folder = out / split / str(labels[scan])
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[scan]).save(folder / f'{scan:04d}.png')


def write_scenes(
    out: Path,
    train_per_class: int,
    layout: str,
    scenes: Sequence[int],
    size: int,
) -> None:
    """Write scenes of the training and of the validation scans."""
    images, labels = load_scans()
    splits = split_scans(train_per_class).items()
    scans = {split: (images[of], labels[of]) for split, of in splits}
    write = LAYOUTS[layout][1]
    assert write is not None
    counts = dict(zip(scans, scenes, strict=True))
    write(out, scans, counts, DIGITS, size)


def convert(out: Path, train_per_class: int, **scenes: Any) -> bool:
    """Write the folder, or keep it if it is whole and of the same settings.

    Args:
        out: The folder.
        train_per_class: Training scans of each digit, 1 to 74.
        scenes: Other arguments of :func:`write_scenes`, for that layout.

    Returns:
        Whether something was written.
    """
    settings = {'train_per_class': train_per_class, **scenes}
    write = write_scenes if scenes else write_folders
    return write_whole(
        out, settings, lambda folder: write(folder, **settings), RECORD
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--layout',
        choices=LAYOUTS,
        default='folder',
        help='one scan an image, or scenes; default: %(default)s',
    )
    parser.add_argument(
        '--out', type=Path, help='default: data/digits, data/digits_<layout>'
    )
    parser.add_argument(
        '--train-per-class',
        type=int,
        default=POOL_PER_CLASS,
        metavar='N',
        help=f'1 to {POOL_PER_CLASS}; default: %(default)s',
    )
    parser.add_argument(
        '--scenes',
        type=int,
        nargs=2,
        default=[800, 250],
        metavar=('TRAIN', 'VAL'),
        help='of the other layouts; default: 800 250',
    )
    args = parser.parse_args()
    if min(args.scenes) < 1:
        parser.error('--scenes must be 1 or more of each')
    default, write = LAYOUTS[args.layout]
    out = args.out or default
    number = args.train_per_class
    scenes = (
        dict(layout=args.layout, scenes=args.scenes, size=128) if write else {}
    )
    try:
        written = convert(out, number, **scenes)
    except ValueError as error:
        parser.error(str(error))
    sizes = scenes.get('scenes') or [
        len(scans) for scans in split_scans(number).values()
    ]
    print(
        f'{out}: {sizes[0]} training and {sizes[1]} validation '
        f'{"scenes" if scenes else "scans"} '
        f'{"written" if written else "already there, kept"}'
    )


if __name__ == '__main__':
    main()
