"""Scenes of clothes: which images they show, and their command line."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[2] / 'tools/dataset_converters'
sys.path.insert(0, str(FOLDER))
import fashion_scenes  # noqa: E402
from fashion_mnist import HELD_OUT, write_idx  # noqa: E402
from scenes import make_scene  # noqa: E402
from styles import FASHION  # noqa: E402


@pytest.fixture
def source(tmp_path):
    """Training images of grey 100, held-out ones of 200, test ones of 50."""
    folder = tmp_path / 'fashion-mnist'
    folder.mkdir()
    grey = {'train': [100] * 20 + [200] * HELD_OUT, 't10k': [50] * 30}
    for split, values in grey.items():
        images = np.zeros((len(values), 28, 28), np.uint8)
        images[:, 4:24, 6:22] = np.array(values)[:, None, None]
        write_idx(folder / f'{split}-images-idx3-ubyte', images)
        labels = np.arange(len(values)) % 10
        write_idx(folder / f'{split}-labels-idx1-ubyte', labels)
    return folder


def test_held_out_images_are_in_no_scene(source):
    scans = fashion_scenes.load_scans(source)
    assert {k: (len(v[0]), v[0].max()) for k, v in scans.items()} == {
        'train': (20, 100),
        'val': (30, 50),
    }


def test_both_layouts_are_written_and_kept(source, tmp_path, capsys):
    words = ['--source', str(source), '--scenes', '3', '2']
    for layout, count in (('coco', 3 + 2), ('cityscapes', 2 * (3 + 2))):
        out = tmp_path / layout
        arguments = [*words, '--layout', layout, '--out', str(out)]
        fashion_scenes.main(arguments)
        assert 'validation scenes written' in capsys.readouterr().out
        assert len(list(out.rglob('*.png'))) == count
        fashion_scenes.main(arguments)
        assert 'already there, kept' in capsys.readouterr().out
    content = json.loads(
        (tmp_path / 'coco/annotations/instances_val.json').read_text()
    )
    names = [category['name'] for category in content['categories']]
    assert names[0] == 'T-shirt'
    assert names[9] == 'ankle boot'


def test_a_backbone_begins_with_one_item_a_picture(source, tmp_path):
    out = tmp_path / 'folder'
    words = ['--source', str(source), '--scenes', '30', '10']
    fashion_scenes.main([*words, '--layout', 'folder', '--out', str(out)])
    files = sorted(out.rglob('*.png'))
    assert len(files) == 30 + 10
    classes = {file.parent.name for file in files}
    assert 'ankle-boot' in classes
    assert classes <= {c.replace(' ', '-') for c in FASHION.classes}
    scans = fashion_scenes.load_scans(source)
    style = replace(FASHION, items=(1, 1), side=(32, 64))
    for file in files:
        split, number = file.parts[-3], int(file.stem)
        scene = make_scene(split, number, *scans[split], style, 64)
        name = FASHION.classes[scene.labels[0]].replace(' ', '-')
        assert name == file.parent.name
        assert np.array_equal(np.asarray(Image.open(file)), scene.image)


def test_without_the_photographs_it_says_what_to_do(tmp_path, capsys):
    with pytest.raises(SystemExit):
        fashion_scenes.main(['--source', str(tmp_path), '--out', 'x'])
    assert '`make data` writes' in capsys.readouterr().err
