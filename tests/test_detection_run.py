"""From COCO files to mAP and back, with mmdet's own dataset and metric."""

import json
import pickle
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from stock import command, evaluate

from mmmgd.config import read_config

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / 'tools' / 'dataset_converters'))

import digits  # noqa: E402
from scenes import write_coco  # noqa: E402
from styles import DIGITS  # noqa: E402

DUMP = """
from mmengine.registry import METRICS
runner.test_evaluator.metrics.append(METRICS.build(
    dict(type='mmdet.DumpDetResults', out_file_path='stock.pkl')))
runner.test()
"""


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    """12 training and 6 validation scenes in COCO's layout."""
    out = tmp_path_factory.mktemp('coco')
    images, labels = digits.load_scans()
    scans = {
        split: (images[numbers], labels[numbers])
        for split, numbers in digits.split_scans(10).items()
    }
    write_coco(out, scans, dict(train=12, val=6), DIGITS)
    return out


def _config(name, scenes, work_dir) -> Config:
    cfg = read_config(str(ROOT / 'configs' / 'demo' / name))
    text = cfg.pretty_text.replace('data/digits_coco/', f'{scenes}/')
    cfg = Config.fromstring(text, '.py')
    cfg.work_dir = str(work_dir)
    cfg.train_cfg.max_epochs = cfg.train_cfg.val_interval = 1
    cfg.default_hooks.checkpoint.interval = 1
    cfg.log_level = 'WARNING'
    return cfg


def test_the_stock_tools_give_the_same_without_our_package(scenes, tmp_path):
    mgd = _config('detection_mgd.py', scenes, tmp_path / 'work')
    mgd.model.teacher.checkpoint = False
    mgd.model.student.test_cfg.score_thr = 0.0  # it has hardly learned
    mgd.dump(str(tmp_path / 'mgd.py'))
    train, test = ROOT / 'tools/train.py', ROOT / 'tools/test.py'
    command(tmp_path, train, 'mgd.py', '--work-dir', 'work')
    file = tmp_path / 'work' / 'epoch_1.pth'
    command(tmp_path, test, 'mgd.py', file, '--out', 'ours.pkl')
    evaluate(tmp_path, 'work/student.py', file, DUMP)
    ours, stock = (
        pickle.loads((tmp_path / name).read_bytes())
        for name in ('ours.pkl', 'stock.pkl')
    )
    assert len(ours) == len(stock) == 6
    for a, b in zip(ours, stock, strict=True):
        a, b = a['pred_instances'], b['pred_instances']
        assert len(a['scores']) > 0
        for key in ('bboxes', 'scores', 'labels'):
            assert torch.equal(a[key], b[key])


def _dataset(cfg, **changes):
    dataset = {**cfg.train_dataloader.dataset, **changes}
    with DefaultScope.overwrite_default_scope('mmdet'):
        return DATASETS.build(dataset)


def _with(scenes, tmp_path, change):
    """Copy the training json, changed."""
    file = scenes / 'annotations' / 'instances_train.json'
    content = json.loads(file.read_text())
    change(content)
    target = tmp_path / 'changed.json'
    target.write_text(json.dumps(content))
    return str(target)


def test_an_unknown_category_is_left_out_and_the_rest_kept(scenes, tmp_path):
    cfg = _config('detection_baseline.py', scenes, tmp_path)

    def change(content):
        content['categories'].append(dict(id=99, name='letter'))
        content['annotations'][0]['category_id'] = 99

    whole = _dataset(cfg)
    changed = _dataset(cfg, ann_file=_with(scenes, tmp_path, change))
    before = sum(len(whole.get_data_info(i)['instances'])
                 for i in range(len(whole)))  # fmt: skip
    after = sum(len(changed.get_data_info(i)['instances'])
                for i in range(len(changed)))  # fmt: skip
    assert after == before - 1


def test_an_empty_image_trains(scenes, tmp_path, run):
    cfg = _config('detection_mgd.py', scenes, tmp_path / 'work')
    cfg.model.teacher.checkpoint = False

    def change(content):
        content['annotations'] = [
            a for a in content['annotations'] if a['image_id'] > 4
        ]

    dataset = cfg.train_dataloader.dataset
    dataset.ann_file = _with(scenes, tmp_path, change)
    dataset.filter_cfg = dict(filter_empty_gt=False)
    cfg.train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=2)
    runner = run(cfg)
    assert runner.iter == 2
    scalars = runner.message_hub.log_scalars
    losses = [k for k in scalars if k.startswith('train/loss')]
    assert 'train/loss_mgd.4' in losses
    for name in losses:
        history, _ = scalars[name].data
        assert torch.tensor(history).isfinite().all()


def test_a_missing_image_list_is_named(scenes, tmp_path):
    cfg = _config('detection_baseline.py', scenes, tmp_path)
    with pytest.raises(FileNotFoundError, match='nowhere.json'):
        _dataset(cfg, ann_file='annotations/nowhere.json')
