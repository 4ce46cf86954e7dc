"""Scenes of digits: what is drawn, and what COCO's tools make of it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

FOLDER = Path(__file__).parents[2] / 'tools/dataset_converters'
sys.path.insert(0, str(FOLDER))
import _folder  # noqa: E402
import digits  # noqa: E402
import scenes  # noqa: E402
from styles import DIGITS, FASHION, silhouette  # noqa: E402

COUNTS = dict(train=6, val=12)


def scans_of(split):
    images, labels = digits.load_scans()
    numbers = digits.split_scans(74)[split]
    return images[numbers], labels[numbers]


def write(folder):
    scans = {split: scans_of(split) for split in COUNTS}
    scenes.write_coco(folder, scans, COUNTS, DIGITS)
    return folder


@pytest.fixture(scope='module')
def coco(tmp_path_factory):
    return write(tmp_path_factory.mktemp('data') / 'coco')


def read(coco, split):
    file = coco / 'annotations' / f'instances_{split}.json'
    return json.loads(file.read_text())


def decode(annotation):
    return coco_mask.decode(annotation['segmentation']).astype(bool)


def test_scene_is_a_function_of_the_generator():
    scans = scans_of('train')
    one, two = (
        scenes.draw_scene(np.random.default_rng(3), *scans, DIGITS)
        for _ in range(2)
    )
    other = scenes.draw_scene(np.random.default_rng(4), *scans, DIGITS)
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a, b)
    assert one.image.shape == (128, 128, 3)
    assert one.image.dtype == np.uint8
    assert not np.array_equal(one.image, other.image)


def test_only_the_given_scans_are_drawn():
    images, labels = scans_of('train')
    sevens = images[labels == 7], labels[labels == 7]
    drawn = scenes.draw_scene(np.random.default_rng(0), *sevens, DIGITS, 96)
    assert drawn.image.shape == (96, 96, 3)
    assert set(drawn.labels) == {7}


def test_masks_are_disjoint_and_large_enough():
    scans = scans_of('val')
    covered = 0
    for seed in range(30):
        scene = scenes.draw_scene(np.random.default_rng(seed), *scans, DIGITS)
        assert 1 <= len(scene.labels) == len(scene.masks) <= 6
        assert scene.masks.sum(0).max() == 1
        areas = scene.masks.sum((1, 2))
        assert areas.min() >= scenes.MIN_AREA
        boxes = [scenes.describe(m)['bbox'] for m in scene.masks]
        assert max(max(b[2:]) for b in boxes) <= 64
        covered += sum(
            boxes[i][0] < boxes[j][0] + boxes[j][2]
            and boxes[j][0] < boxes[i][0] + boxes[i][2]
            and boxes[i][1] < boxes[j][1] + boxes[j][3]
            and boxes[j][1] < boxes[i][1] + boxes[i][3]
            for i in range(len(boxes))
            for j in range(i)
        )
    assert covered > 10  # some overlap


def test_later_digits_cover_earlier_ones():
    """Ink of full strength, in flat white, shows exactly the top mask."""
    scan = np.full((1, 8, 8), 255, np.uint8)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scene = scenes.draw_scene(rng, scan, np.array([8]), DIGITS)
        for mask in scene.masks:
            # one colour and the noise, wherever the digit can be seen
            assert scene.image[mask].std(0).max() < 7
        assert scene.image[scene.masks[-1]].mean() > 145


def test_a_silhouette_is_an_outline_filled():
    """A ring with a gap of one pixel: the hole is its own, the rest not."""
    pixels = np.zeros((9, 9), np.uint8)
    pixels[2:7, 2:7] = 200
    pixels[3:6, 3:6] = 0
    pixels[2, 4] = 0
    expected = np.zeros((9, 9))
    expected[2:7, 2:7] = 1
    assert np.array_equal(silhouette(pixels), expected)
    open_wide = pixels.copy()
    open_wide[2, 3:6] = 0  # three pixels: what it holds is outside
    assert silhouette(open_wide)[4, 4] == 0


def test_clothes_keep_their_light_and_shade():
    """A photograph twice as bright to the right is so in the scene."""
    photo = np.full((1, 28, 28), 80, np.uint8)
    photo[..., 14:] = 200
    for seed in range(5):
        rng = np.random.default_rng(seed)
        scene = scenes.draw_scene(rng, photo, np.array([2]), FASHION)
        mask = scene.masks[-1]
        assert set(scene.labels) == {2}
        columns = np.flatnonzero(mask.any(0))
        middle = (columns[0] + columns[-1]) // 2
        left, right = mask.copy(), mask.copy()
        left[:, middle - 2 :] = False
        right[:, : middle + 3] = False
        ratio = scene.image[right].mean() / scene.image[left].mean()
        dark, light = 40 + 80 * 215 / 255, 40 + 200 * 215 / 255
        assert abs(ratio - light / dark) < 0.06


def test_splits_draw_different_scans(coco):
    numbers = digits.split_scans(74)
    assert not set(numbers['train']) & set(numbers['val'])
    first = [Image.open(coco / s / '0000.png') for s in COUNTS]
    assert not np.array_equal(*map(np.asarray, first))


@pytest.mark.parametrize('damage', ['image', 'annotations'])
def test_folder_is_kept_while_it_is_whole(tmp_path, damage):
    out = tmp_path / 'digits_coco'
    settings = dict(train_per_class=2, layout='coco', scenes=[2, 1], size=64)
    assert digits.convert(out, **settings)
    assert not digits.convert(out, **settings)
    whole = _folder.digest(out)
    if damage == 'image':
        (out / 'train/0001.png').unlink()
    else:
        (out / 'annotations/instances_val.json').write_text('{}')
    assert digits.convert(out, **settings)
    assert _folder.digest(out) == whole
    assert [p.name for p in tmp_path.iterdir()] == ['digits_coco']


def test_same_bytes_and_a_larger_set_contains_the_smaller(coco, tmp_path):
    write(tmp_path / 'again')
    files = sorted(p.relative_to(coco) for p in coco.rglob('*.*'))
    assert len(files) == 6 + 12 + 2
    for file in files:
        again = (tmp_path / 'again' / file).read_bytes()
        assert again == (coco / file).read_bytes()
    scans = {'val': scans_of('val')}
    scenes.write_coco(tmp_path / 'small', scans, {'val': 2}, DIGITS)
    for name in ('0000.png', '0001.png'):
        small = (tmp_path / 'small/val' / name).read_bytes()
        assert small == (coco / 'val' / name).read_bytes()


@pytest.mark.parametrize('split', COUNTS)
def test_boxes_areas_and_ids(coco, split):
    content = read(coco, split)
    annotations = content['annotations']
    assert [c['name'] for c in content['categories']] == list('0123456789')
    assert [c['id'] for c in content['categories']] == list(range(1, 11))
    assert [i['id'] for i in content['images']] == list(
        range(1, COUNTS[split] + 1)
    )
    assert [a['id'] for a in annotations] == list(
        range(1, len(annotations) + 1)
    )
    assert {a['image_id'] for a in annotations} == {
        i['id'] for i in content['images']
    }
    for a in annotations:
        mask = decode(a)
        left, top, width, height = a['bbox']
        inside = mask[top : top + height, left : left + width]
        assert inside.sum() == mask.sum() == a['area']
        for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
            assert edge.any()


def test_written_labels_are_the_drawn_ones(coco):
    scene = scenes.make_scene('val', 5, *scans_of('val'), DIGITS, 128)
    written = [
        a for a in read(coco, 'val')['annotations'] if a['image_id'] == 6
    ]
    assert [a['category_id'] - 1 for a in written] == list(scene.labels)
    for a, mask in zip(written, scene.masks, strict=True):
        assert np.array_equal(decode(a), mask)
    image = np.asarray(Image.open(coco / 'val/0005.png'))
    assert np.array_equal(image, scene.image)


def test_stock_dataset_reads_it(coco):
    datasets = pytest.importorskip('mmdet.datasets')
    data = datasets.CocoDataset(
        data_root=str(coco),
        ann_file='annotations/instances_val.json',
        data_prefix=dict(img='val/'),
        metainfo=dict(classes=DIGITS.classes),
        pipeline=[
            dict(type='mmdet.LoadImageFromFile'),
            dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
        ],
    )
    assert len(data) == 12
    for number, item in enumerate(data):
        scene = scenes.make_scene('val', number, *scans_of('val'), DIGITS, 128)
        assert np.array_equal(item['img'][..., ::-1], scene.image)
        assert np.array_equal(item['gt_masks'].masks, scene.masks)
        assert list(item['gt_bboxes_labels']) == list(scene.labels)
        assert not item['gt_ignore_flags'].any()


def test_stock_metric_scores_perfect_predictions(coco):
    metrics = pytest.importorskip('mmdet.evaluation')
    torch = pytest.importorskip('torch')
    metric = metrics.CocoMetric(
        ann_file=str(coco / 'annotations/instances_val.json'),
        metric=['bbox', 'segm'],
    )
    metric.dataset_meta = dict(classes=DIGITS.classes)
    annotations = read(coco, 'val')['annotations']
    for number in range(1, 13):
        found = [a for a in annotations if a['image_id'] == number]
        boxes = torch.tensor([a['bbox'] for a in found], dtype=torch.float)
        boxes[:, 2:] += boxes[:, :2]
        predictions = dict(
            bboxes=boxes,
            scores=torch.ones(len(found)),
            labels=torch.tensor([a['category_id'] - 1 for a in found]),
            masks=torch.from_numpy(np.stack([decode(a) for a in found])),
        )
        sample = dict(
            img_id=number, ori_shape=(128, 128), pred_instances=predictions
        )
        metric.process({}, [sample])
    scores = metric.evaluate(size=12)
    assert scores['coco/bbox_mAP'] == 1.0
    assert scores['coco/segm_mAP'] == 1.0
