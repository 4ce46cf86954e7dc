"""Digit scenes in Cityscapes' layout: labels, and mmseg's reading of them."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[2] / 'tools/dataset_converters'
sys.path.insert(0, str(FOLDER))
import cityscapes as layout  # noqa: E402
import digits  # noqa: E402
import scenes  # noqa: E402
from styles import DIGITS  # noqa: E402

LABEL = '_gtFine_labelTrainIds.png'


def scans_of(split):
    images, labels = digits.load_scans()
    numbers = digits.split_scans(74)[split]
    return images[numbers], labels[numbers]


@pytest.fixture(scope='module')
def cityscapes(tmp_path_factory):
    out = tmp_path_factory.mktemp('data')
    scans = {split: scans_of(split) for split in ('train', 'val')}
    layout.write_cityscapes(out, scans, dict(train=3, val=4), DIGITS)
    return out


def test_labels_are_the_masks_with_a_ring_to_ignore():
    masks = np.zeros((2, 16, 16), bool)
    masks[0, 2:6, 2:6] = True
    masks[1, 6:9, 4:9] = True  # touches the first one
    scene = scenes.Scene(
        np.zeros((16, 16, 3), np.uint8), masks, np.array([7, 0])
    )
    expected = np.zeros((16, 16), int)
    expected[1:7, 1:7] = 255
    expected[5:10, 3:10] = 255
    expected[2:6, 2:6] = 8
    expected[6:9, 4:9] = 1
    assert np.array_equal(layout.label_map(scene), expected)


def test_files_show_the_scenes_of_the_coco_layout(cityscapes):
    found = sorted(p.name for p in cityscapes.rglob('*.png'))
    assert len(found) == 2 * (3 + 4)
    for number in range(4):
        scene = scenes.make_scene('val', number, *scans_of('val'), DIGITS, 128)
        name = f'val/digits/digits_{number:06d}_000000'
        image = Image.open(
            cityscapes / 'leftImg8bit' / f'{name}_leftImg8bit.png'
        )
        assert np.array_equal(np.asarray(image), scene.image)
        labels = np.asarray(Image.open(cityscapes / 'gtFine' / (name + LABEL)))
        for mask, digit in zip(scene.masks, scene.labels, strict=True):
            assert (labels[mask] == digit + 1).all()
        rest = labels[~scene.masks.any(0)]
        assert set(rest) == {0, 255}
        assert 0.02 < (rest == 255).mean() < 0.3


def test_stock_dataset_and_metric_read_it(cityscapes):
    import torch
    from mmseg.datasets import BaseSegDataset
    from mmseg.evaluation import IoUMetric

    data = BaseSegDataset(
        data_root=str(cityscapes),
        data_prefix=dict(
            img_path='leftImg8bit/val', seg_map_path='gtFine/val'
        ),
        img_suffix='_leftImg8bit.png',
        seg_map_suffix=LABEL,
        metainfo=dict(classes=('background', *DIGITS.classes)),
        pipeline=[
            dict(type='mmseg.LoadImageFromFile'),
            dict(type='mmseg.LoadAnnotations'),
            dict(type='mmseg.PackSegInputs'),
        ],
    )
    assert len(data) == 4
    metric = IoUMetric()
    metric.dataset_meta = data.metainfo
    seen, rng = set(), np.random.default_rng(0)
    for number, item in enumerate(data):
        scene = scenes.make_scene('val', number, *scans_of('val'), DIGITS, 128)
        labels = item['data_samples'].gt_sem_seg.data
        assert np.array_equal(labels[0].numpy(), layout.label_map(scene))
        seen |= set(labels.unique().tolist())
        # Right everywhere but where nobody looks.
        guess = labels.clone()
        ignored = guess == 255
        guess[ignored] = torch.from_numpy(
            rng.integers(0, 11, int(ignored.sum()))
        )
        metric.process(
            {},
            [
                dict(
                    pred_sem_seg=dict(data=guess), gt_sem_seg=dict(data=labels)
                )
            ],
        )
    assert {0, 255} < seen <= {*range(11), 255}
    scores = metric.evaluate(size=4)
    assert scores['mIoU'] == scores['aAcc'] == 100
