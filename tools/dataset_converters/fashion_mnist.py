"""Write Fashion-MNIST as mmpretrain's own dataset class reads it.

60,000 training and 10,000 test photographs of clothes, 28x28 pixels, ten
classes (MIT licence, github.com/zalandoresearch/fashion-mnist). They come
from, in this order: the folder itself, if it is whole; Debian's package
`dataset-fashion-mnist`, installed or fetched by apt-get; the download of
`mmpretrain.FashionMNIST`. Balanced small training sets are written beside it.

    python tools/dataset_converters/fashion_mnist.py
    python tools/dataset_converters/fashion_mnist.py --few 1000 10000
"""

import argparse
import gzip
import hashlib
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mmmgd.checkpoints.atomic import write

SHA256 = {  # of the extracted files
    'train-images-idx3-ubyte': 'c59f468a2f672dc815687fe0f83887768d799fd8a3f32'
    '76145d20f83aa44d888',
    'train-labels-idx1-ubyte': 'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246'
    '121d8633921760443d9',
    't10k-images-idx3-ubyte': '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1db'
    'ef5c9a5cd8815ce37b',
    't10k-labels-idx1-ubyte': '0402a96d92fd2663957122ceb108a494c5af83dab82d92'
    '729df917d7dec38c34',
}
PACKAGE = 'dataset-fashion-mnist'
INSTALLED = Path('usr/share/datasets/fashion-mnist')  # in the package
HELD_OUT = 5000  # the last training images; no small set contains one


def main(argv: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('data/fashion-mnist'),
        help='default: %(default)s; small sets go to <out>_<N>',
    )
    parser.add_argument(
        '--few',
        type=int,
        nargs='*',
        default=[1000, 10000],
        metavar='N',
        help='training images of the small sets; default: 1000 10000',
    )
    args = parser.parse_args(argv)
    if is_whole(args.out):
        print(f'{args.out}: already there and whole, kept')
    else:
        print(f'{args.out}: written, from {obtain(args.out)}')
    for number in args.few:
        folder = args.out.with_name(f'{args.out.name}_{number}')
        try:
            write_few(args.out, folder, number)
        except ValueError as error:
            parser.error(str(error))
        print(f'{folder}: written, {number // 10} training images a class')


def is_whole(folder: Path) -> bool:
    """Return whether all four files are there, byte for byte."""
    return all(
        (folder / name).is_file()
        and hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        for name, digest in SHA256.items()
    )


def obtain(out: Path) -> str:
    """Write the four files from the first source that has them.

    Returns:
        The name of that source.

    Raises:
        SystemExit: If there is none, with what each of them said.
    """
    sources: dict[str, Callable[[Path], None]] = {
        f'the installed package {PACKAGE}': from_installed,
        f'the Debian package {PACKAGE}': from_debian,
        'the download of mmpretrain.FashionMNIST': from_download,
    }
    failures = []
    for name, fetch in sources.items():
        # Beside it and renamed, so that no half-written file looks whole.
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent) as temporary:
            try:
                fetch(Path(temporary))
            except Exception as error:  # apt, network, mmpretrain: any kind
                failures.append(f'  {name}: {error or type(error).__name__}')
                continue
            if not is_whole(Path(temporary)):
                failures.append(f'  {name}: the files have another content')
                continue
            out.mkdir(exist_ok=True)
            for file in SHA256:
                (Path(temporary) / file).replace(out / file)
            return name
    raise SystemExit(
        '\n'.join(
            [
                'Fashion-MNIST could not be obtained:',
                *failures,
                f'Put these files into {out}, extracted, from '
                'github.com/zalandoresearch/fashion-mnist: '
                + ', '.join(SHA256),
            ]
        )
    )


def from_installed(folder: Path, root: Path = Path('/')) -> None:
    """Extract the archives of a package that is installed below a root."""
    for name in SHA256:
        with gzip.open(root / INSTALLED / f'{name}.gz') as archive:
            (folder / name).write_bytes(archive.read())


def from_debian(folder: Path) -> None:
    """Fetch Debian's package and unpack it, installing nothing."""
    for tool in ('apt-get', 'dpkg-deb'):
        if shutil.which(tool) is None:
            raise RuntimeError(f'there is no {tool} here')
    with tempfile.TemporaryDirectory() as temporary:
        _run(['apt-get', 'download', PACKAGE], temporary)
        (package,) = Path(temporary).glob('*.deb')
        _run(['dpkg-deb', '-x', str(package), 'root'], temporary)
        from_installed(folder, Path(temporary) / 'root')


def _run(command: list[str], folder: str) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(
            f'`{" ".join(command)}` said: {done.stderr.strip()[-300:]} '
            '(perhaps `apt-get update` is needed first)'
        )


def from_download(folder: Path) -> None:
    """Let the dataset class download; it checks the archives' MD5."""
    from mmpretrain.datasets import FashionMNIST

    FashionMNIST(data_root=str(folder), download=True)


def write_few(whole: Path, out: Path, number: int) -> None:
    """Write a small, balanced training set, and the test set as it is.

    The images are drawn from those that are not held out, always the same
    ones; a larger set contains the smaller one.

    Args:
        whole: Folder with all images.
        out: Folder to write.
        number: Training images, a multiple of 10.

    Raises:
        ValueError: If there are not as many.
    """
    images = read_idx(whole / 'train-images-idx3-ubyte')
    labels = read_idx(whole / 'train-labels-idx1-ubyte')
    chosen = choose(labels[:-HELD_OUT], number)
    out.mkdir(parents=True, exist_ok=True)
    write_idx(out / 'train-images-idx3-ubyte', images[chosen])
    write_idx(out / 'train-labels-idx1-ubyte', labels[chosen])
    for name in ('t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'):
        shutil.copyfile(whole / name, out / name)


def choose(labels: np.ndarray, number: int) -> np.ndarray:
    """Return the sorted positions of as many images of each class."""
    classes, counts = np.unique(labels, return_counts=True)
    each, rest = divmod(number, len(classes))
    if rest or not 1 <= each <= counts.min():
        raise ValueError(
            f'Expected a number of images that is a multiple of '
            f'{len(classes)}, up to {counts.min() * len(classes)}, but got '
            f'{number}.'
        )
    random = np.random.RandomState(0)  # its stream is frozen by numpy
    chosen = [
        random.permutation(np.flatnonzero(labels == label))[:each]
        for label in classes
    ]
    return np.sort(np.concatenate(chosen))


def read_idx(path: Path) -> np.ndarray:
    """Read a file of bytes in LeCun's IDX format."""
    content = path.read_bytes()
    dims = content[3]
    shape = struct.unpack(f'>{dims}I', content[4 : 4 + 4 * dims])
    pixels = np.frombuffer(content, np.uint8, offset=4 + 4 * dims)
    return pixels.reshape(shape)


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write bytes in LeCun's IDX format; a reader never sees half a file."""
    head = struct.pack(
        f'>4B{values.ndim}I', 0, 0, 8, values.ndim, *values.shape
    )
    write(path, head + values.astype(np.uint8).tobytes())


if __name__ == '__main__':
    main()
