"""The Fashion-MNIST converter, on small files of the same format."""

import gzip
import hashlib
import shutil
import struct
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'dataset_converters'))
import fashion_mnist as fm  # noqa: E402

WHOLE = ROOT / 'data' / 'fashion-mnist'


@pytest.fixture
def small(tmp_path, monkeypatch):
    """100 + 20 images; the last 20 of training are held out."""
    rng = np.random.default_rng(0)
    folder = tmp_path / 'small'
    folder.mkdir()
    for split, number in (('train', 100), ('t10k', 20)):
        images = rng.integers(0, 256, (number, 28, 28), np.uint8)
        labels = rng.permutation(np.arange(number) % 10).astype(np.uint8)
        fm.write_idx(folder / f'{split}-images-idx3-ubyte', images)
        fm.write_idx(folder / f'{split}-labels-idx1-ubyte', labels)
    digests = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in fm.SHA256
    }
    monkeypatch.setattr(fm, 'SHA256', digests)
    monkeypatch.setattr(fm, 'HELD_OUT', 20)
    return folder


def test_idx_is_written_as_lecun_defined_it(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    fm.write_idx(tmp_path / 'x', values)
    content = (tmp_path / 'x').read_bytes()
    assert content[:16] == bytes([0, 0, 8, 3]) + struct.pack('>3I', 2, 3, 4)
    assert np.array_equal(fm.read_idx(tmp_path / 'x'), values)


def test_a_small_set_is_balanced_fixed_and_holds_the_smaller_one():
    labels = np.random.default_rng(0).integers(0, 10, 5000)
    large, small = fm.choose(labels, 1000), fm.choose(labels, 200)
    assert Counter(labels[large]) == dict.fromkeys(range(10), 100)
    assert set(small) < set(large)
    assert list(large) == sorted(set(large))
    assert np.array_equal(large, fm.choose(labels, 1000))


@pytest.mark.parametrize('number', [0, 25, 100])
def test_a_small_set_that_there_is_not_is_refused(small, tmp_path, number):
    with pytest.raises(ValueError, match=f'multiple of 10, .* got {number}'):
        fm.write_few(small, tmp_path / 'few', number)


def test_no_image_of_a_small_set_is_held_out(small, tmp_path):
    fm.write_few(small, tmp_path / 'few', 30)
    images = fm.read_idx(small / 'train-images-idx3-ubyte')
    labels = fm.read_idx(small / 'train-labels-idx1-ubyte')
    few = fm.read_idx(tmp_path / 'few' / 'train-images-idx3-ubyte')
    where = [int(np.flatnonzero((images == i).all((1, 2)))[0]) for i in few]
    assert max(where) < 80
    chosen = fm.read_idx(tmp_path / 'few' / 'train-labels-idx1-ubyte')
    assert np.array_equal(chosen, labels[where])
    name = 't10k-images-idx3-ubyte'
    assert (tmp_path / 'few' / name).read_bytes() == (
        small / name
    ).read_bytes()


def _archive(small, root):
    (root / fm.INSTALLED).mkdir(parents=True)
    for name in fm.SHA256:
        content = gzip.compress((small / name).read_bytes())
        (root / fm.INSTALLED / f'{name}.gz').write_bytes(content)


def _nothing(folder):
    raise RuntimeError('not here')


def test_the_installed_package_is_unpacked(small, tmp_path, monkeypatch):
    _archive(small, tmp_path / 'root')
    monkeypatch.setattr(
        fm,
        'from_installed',
        lambda f, unpack=fm.from_installed: unpack(f, tmp_path / 'root'),
    )
    out = tmp_path / 'data' / 'fashion'
    assert fm.obtain(out) == 'the installed package dataset-fashion-mnist'
    assert fm.is_whole(out)
    assert sorted(p.name for p in out.parent.iterdir()) == ['fashion']


def test_the_next_source_is_tried(small, tmp_path, monkeypatch):
    def damaged(folder):
        for name in fm.SHA256:
            (folder / name).write_bytes(b'other')

    def good(folder):
        for name in fm.SHA256:
            shutil.copy(small / name, folder)

    monkeypatch.setattr(fm, 'from_installed', _nothing)
    monkeypatch.setattr(fm, 'from_debian', damaged)
    monkeypatch.setattr(fm, 'from_download', good)
    assert 'FashionMNIST' in fm.obtain(tmp_path / 'data')


def test_without_a_source_it_says_what_to_do(small, tmp_path, monkeypatch):
    for name in ('from_installed', 'from_debian', 'from_download'):
        monkeypatch.setattr(fm, name, _nothing)
    with pytest.raises(SystemExit) as error:
        fm.obtain(tmp_path / 'data')
    text = str(error.value)
    assert text.count('not here') == 3
    assert 'Put these files into' in text
    assert not (tmp_path / 'data').exists()


def test_a_whole_folder_is_kept(small, tmp_path, capsys):
    fm.main(['--out', str(small), '--few', '30'])
    said = capsys.readouterr().out
    assert 'already there and whole, kept' in said
    few = fm.read_idx(tmp_path / 'small_30' / 'train-labels-idx1-ubyte')
    assert Counter(few.tolist()) == dict.fromkeys(range(10), 3)


def test_the_studies_test_on_the_test_images(small):
    from mmengine.config import Config
    from mmengine.registry import DATASETS, DefaultScope

    cfg = Config.fromfile(ROOT / 'configs/studies/_base_fashion-mnist.py')
    expected = dict(train=('train', 0, 100), val=('train', 80, 100))
    expected['test'] = ('t10k', 0, 20)
    for name, (split, start, stop) in expected.items():
        dataset = cfg[f'{name}_dataloader'].dataset
        dataset.update(data_root=str(small))
        if 'indices' in dataset:
            dataset.indices = 100 if name == 'train' else -20
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            data = DATASETS.build(dataset)
        labels = fm.read_idx(small / f'{split}-labels-idx1-ubyte')
        read = [int(label) for label in data.get_gt_labels()]
        assert read == labels[start:stop].tolist()


@pytest.mark.skipif(not WHOLE.is_dir(), reason='no data: `make data`')
def test_the_stock_dataset_reads_it():
    from mmpretrain.datasets import FashionMNIST

    data = FashionMNIST(str(WHOLE), download=False, indices=-5000)
    assert len(data) == 5000
    labels = fm.read_idx(WHOLE / 'train-labels-idx1-ubyte')[-5000:]
    assert [int(data[i]['gt_label']) for i in range(50)] == list(labels[:50])
