"""The digits converter: the data of the embedded default."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

SCRIPT = Path(__file__).parents[2] / 'tools/dataset_converters/digits.py'
sys.path.insert(0, str(SCRIPT.parent))
import _folder  # noqa: E402
import digits  # noqa: E402


def pngs(folder):
    return sorted(folder.rglob('*.png'))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp('data') / 'digits'
    assert digits.convert(out, train_per_class=3)
    return out


def test_split_is_fixed_balanced_and_disjoint():
    labels = load_digits().target
    small, large = digits.split_scans(3), digits.split_scans(74)
    assert np.array_equal(small['val'], large['val'])
    assert set(small['train']) < set(large['train'])
    assert not set(large['train']) & set(large['val'])
    assert len(large['train']) + len(large['val']) == 1797
    assert Counter(labels[small['train']]) == dict.fromkeys(range(10), 3)
    assert len(small['val']) == 1057
    assert min(Counter(labels[small['val']]).values()) == 100


@pytest.mark.parametrize('number', [0, 75])
def test_split_refuses_a_number_it_does_not_have(number):
    with pytest.raises(ValueError, match=f'1 to 74 .* got {number}'):
        digits.split_scans(number)


def test_images_are_the_scans(folder):
    scans = load_digits()
    files = pngs(folder)
    assert len(files) == 30 + 1057
    for path in files[::50]:
        number = int(path.stem)
        image = np.asarray(Image.open(path))
        assert image.shape == (8, 8)
        assert image.dtype == np.uint8
        assert path.parent.name == str(scans.target[number])
        # 0..16 to 0..255, to the nearest integer
        error = np.abs(image / 255 * 16 - scans.images[number])
        assert error.max() <= 0.5 * 16 / 255
    assert max(np.asarray(Image.open(p)).max() for p in files) == 255


def test_same_bytes_in_every_run(folder, tmp_path):
    digits.convert(tmp_path / 'again', train_per_class=3)
    again = pngs(tmp_path / 'again')
    assert [p.relative_to(tmp_path / 'again') for p in again] == [
        p.relative_to(folder) for p in pngs(folder)
    ]
    for one, two in zip(pngs(folder), again, strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_whole_folder_is_kept(folder):
    before = {p: p.stat().st_mtime_ns for p in pngs(folder)}
    assert not digits.convert(folder, train_per_class=3)
    assert {p: p.stat().st_mtime_ns for p in pngs(folder)} == before


@pytest.mark.parametrize('damage', ['record', 'image', 'bytes', 'partial'])
def test_half_written_folder_is_rebuilt(tmp_path, damage):
    out = tmp_path / 'digits'
    digits.convert(out, train_per_class=1)
    whole = _folder.digest(out)
    if damage == 'record':
        (out / 'digits.json').unlink()
    elif damage == 'image':
        pngs(out)[0].unlink()
    elif damage == 'bytes':
        pngs(out)[0].write_bytes(b'')
    else:  # a run that was killed before the rename
        out.rename(tmp_path / 'digits.partial')
    assert digits.convert(out, train_per_class=1)
    assert _folder.digest(out) == whole
    assert [p.name for p in tmp_path.iterdir()] == ['digits']


def test_other_settings_replace_the_folder(tmp_path):
    digits.convert(tmp_path / 'digits', train_per_class=2)
    assert digits.convert(tmp_path / 'digits', train_per_class=1)
    assert len(pngs(tmp_path / 'digits/train')) == 10


def test_files_of_others_are_never_deleted(tmp_path):
    (tmp_path / 'thesis.tex').touch()
    with pytest.raises(SystemExit, match='not ours .thesis.tex.'):
        digits.convert(tmp_path, train_per_class=1)
    assert (tmp_path / 'thesis.tex').exists()


def run(*args):
    command = [sys.executable, str(SCRIPT), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


def test_command_line_says_what_it_did(tmp_path):
    out = tmp_path / 'digits'
    args = ('--out', out, '--train-per-class', 2)
    first, second = run(*args), run(*args)
    counts = f'{out}: 20 training and 1057 validation scans'
    assert first.stdout.strip() == f'{counts} written'
    assert second.stdout.strip() == f'{counts} already there, kept'
    wrong = run('--out', out, '--train-per-class', 99)
    assert wrong.returncode == 2
    assert 'got 99' in wrong.stderr
    assert 'Traceback' not in wrong.stderr


def test_stock_dataset_reads_it(folder):
    datasets = pytest.importorskip('mmpretrain.datasets')
    for split, size in dict(train=30, val=1057).items():
        data = datasets.CustomDataset(data_root=str(folder / split))
        assert len(data) == size
        assert list(data.CLASSES) == list('0123456789')
        item = data.get_data_info(0)
        assert item['gt_label'] == int(Path(item['img_path']).parent.name)
