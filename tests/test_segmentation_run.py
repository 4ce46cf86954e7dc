"""From Cityscapes' files to mIoU and back, with mmseg's own parts."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from stock import command, evaluate

from mmmgd.config import read_config
from mmmgd.engine.data import DataError

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / 'tools' / 'dataset_converters'))

import cityscapes  # noqa: E402
import digits  # noqa: E402
from styles import DIGITS  # noqa: E402

DUMP = "json.dump(runner.test(), open('stock.json', 'w'), default=float)"
IMAGE = 'leftImg8bit/train/digits/digits_{:06}_000000_leftImg8bit.png'
LABEL = 'gtFine/train/digits/digits_{:06}_000000_gtFine_labelTrainIds.png'


@pytest.fixture
def scenes(tmp_path):
    """8 training and 4 validation scenes of 64 x 64 pixels."""
    images, labels = digits.load_scans()
    scans = {
        split: (images[numbers], labels[numbers])
        for split, numbers in digits.split_scans(10).items()
    }
    out = tmp_path / 'data'
    cityscapes.write_cityscapes(out, scans, dict(train=8, val=4), DIGITS, 64)
    return out


def _config(name, scenes, work_dir, iters=4) -> Config:
    cfg = read_config(str(ROOT / 'configs/demo' / name))
    text = cfg.pretty_text.replace('data/digits_cityscapes/', f'{scenes}/')
    text = text.replace('112', '64')  # the crop
    text = text.replace('dropout_ratio=0.1', 'dropout_ratio=0.0')
    cfg = Config.fromstring(text, '.py')
    cfg.work_dir = str(work_dir)
    cfg.train_cfg.update(max_iters=iters, val_interval=2)
    cfg.param_scheduler = []
    cfg.default_hooks.checkpoint.update(interval=2, save_best='mIoU')
    cfg.default_hooks.logger.interval = 1
    cfg.randomness.deterministic = True
    cfg.train_dataloader.batch_size = 2
    cfg.log_level = 'WARNING'
    if 'teacher' in cfg.model:
        cfg.model.teacher.checkpoint = False
    return cfg


def _weights(file):
    checkpoint = torch.load(file, map_location='cpu', weights_only=False)
    return checkpoint['state_dict'], checkpoint['mmmgd']


def test_iteration_based_runs_have_what_epoch_based_ones_have(
    scenes, tmp_path, run
):
    """Checkpoints, best, last, logs; resumed they go on bit by bit."""
    whole = _config('semantic_segmentation_mgd.py', scenes, tmp_path / 'a')
    runner = run(whole)
    assert runner.iter == 4
    files = {p.name for p in (tmp_path / 'a').iterdir()}
    assert {'iter_2.pth', 'iter_4.pth', 'last_checkpoint'} <= files
    assert any(f.startswith('best_mIoU_iter_') for f in files)
    scalars = runner.message_hub.log_scalars
    history, _ = scalars['train/loss_mgd'].data
    assert len(history) == 4
    assert (np.array(history) > 0).all()
    assert len(scalars['val/mIoU'].data[0]) == 2

    half = _config('semantic_segmentation_mgd.py', scenes, tmp_path / 'b', 2)
    run(half)
    rest = _config('semantic_segmentation_mgd.py', scenes, tmp_path / 'b')
    assert run(rest, resume=True).iter == 4
    student, ours = _weights(tmp_path / 'a' / 'iter_4.pth')
    student_again, ours_again = _weights(tmp_path / 'b' / 'iter_4.pth')
    assert ours['mask_streams'] == ours_again['mask_streams']
    plain = _config('semantic_segmentation_baseline.py', scenes, tmp_path)
    assert not any(k.startswith(('student.', 'terms.')) for k in student)
    assert len(student) > 100
    assert plain.model.type == 'EncoderDecoder'
    for key, value in student.items():
        assert torch.equal(value, student_again[key]), key
    for key, value in ours['state_dict'].items():
        assert torch.equal(value, ours_again['state_dict'][key]), key


def test_the_stock_tools_give_the_same_without_our_package(scenes, tmp_path):
    mgd = _config('semantic_segmentation_mgd.py', scenes, tmp_path / 'work')
    mgd.dump(str(tmp_path / 'mgd.py'))

    train, test = ROOT / 'tools/train.py', ROOT / 'tools/test.py'
    command(tmp_path, train, 'mgd.py', '--work-dir', 'work')
    file = tmp_path / 'work' / 'iter_4.pth'
    command(tmp_path, test, 'mgd.py', file, '--out', 'ours.json')
    evaluate(tmp_path, 'work/student.py', file, DUMP)
    ours, stock = (
        json.loads((tmp_path / name).read_text())
        for name in ('ours.json', 'stock.json')
    )
    assert set(stock) == {'aAcc', 'mIoU', 'mAcc'}
    assert stock['mIoU'] > 0
    assert {k: ours[k] for k in stock} == stock


def test_label_ids_outside_the_classes_are_named(scenes, tmp_path, run):
    for number in range(8):
        file = scenes / LABEL.format(number)
        labels = np.asarray(Image.open(file)).copy()
        labels[:3] = 33
        Image.fromarray(labels).save(file)
    cfg = _config('semantic_segmentation_mgd.py', scenes, tmp_path / 'work')
    with pytest.raises(ValueError, match=r'classes 0 to 10.*got \[33\]') as e:
        run(cfg)
    assert 'labelTrainIds.png' in str(e.value)


def test_a_missing_label_file_is_named(scenes, tmp_path, run):
    for number in range(8):
        (scenes / LABEL.format(number)).unlink()
    cfg = _config('semantic_segmentation_mgd.py', scenes, tmp_path / 'work')
    with pytest.raises(DataError, match='_gtFine_labelTrainIds.png'):
        run(cfg)
