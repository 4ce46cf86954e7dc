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
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from digit_cityscapes import write_cityscapes
from digit_scenes import write_coco
from PIL import Image
from sklearn.datasets import load_digits

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
    write(out, scans, dict(zip(scans, scenes, strict=True)), size)


def digest(folder: Path) -> str:
    """Return a SHA-256 over the names and bytes of all files but RECORD."""
    total = hashlib.sha256()
    files = [*folder.rglob('*.png'), *folder.rglob('*/*.json')]
    for path in sorted(files):
        total.update(path.relative_to(folder).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def read_record(out: Path) -> dict | None:
    """Return the record of a whole folder, and None for any other."""
    try:
        record = json.loads((out / RECORD).read_text())
    except (OSError, ValueError):
        return None
    return record if record.get('digest') == digest(out) else None


def check_replaceable(out: Path) -> None:
    """Stop before deleting anything that this script did not write."""
    if out.exists() and not out.is_dir():
        raise SystemExit(f'{out} is a file: choose another --out')
    ours = {'train', 'val', 'annotations', 'leftImg8bit', 'gtFine', RECORD}
    others = {p.name for p in out.iterdir()} - ours if out.exists() else set()
    if others:
        raise SystemExit(
            f'{out} holds files that are not ours ({sorted(others)[0]}): '
            'choose another --out, or an empty folder'
        )


def convert(out: Path, train_per_class: int, **scenes: Any) -> bool:
    """Write the folder, or keep it if it is whole and of the same settings.

    Everything is written next to it and renamed at the end, so that an
    interrupted run leaves nothing that looks like data.

    Args:
        out: The folder.
        train_per_class: Training scans of each digit, 1 to 74.
        scenes: Other arguments of :func:`write_scenes`, for that layout.

    Returns:
        Whether something was written.
    """
    settings = {'train_per_class': train_per_class, **scenes}
    record = read_record(out)
    if record and record.get('settings') == settings:
        return False
    check_replaceable(out)
    partial = out.with_name(f'{out.name}.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (write_scenes if scenes else write_folders)(partial, **settings)
    record = {'settings': settings, 'digest': digest(partial)}
    (partial / RECORD).write_text(json.dumps(record, indent=2) + '\n')
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return True


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
