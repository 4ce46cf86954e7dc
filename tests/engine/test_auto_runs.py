"""``loss_weight='auto'`` and `calibrate` on a pair of each task."""

import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmmgd.config import read_config
from mmmgd.engine.calibration import calibrate

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'dataset_converters'))

import cityscapes  # noqa: E402
import digits  # noqa: E402
import scenes  # noqa: E402
from styles import DIGITS  # noqa: E402

pytestmark = pytest.mark.usefixtures('quick_start')
TARGET, STEPS, AFTER = 0.5, 60, 12
FOLDERS = ('digits_few', 'digits_coco', 'digits_cityscapes')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A little of the demo's data: folders, COCO, Cityscapes."""
    root = tmp_path_factory.mktemp('data')
    images, labels = digits.load_scans()
    scans = {
        split: (images[numbers], labels[numbers])
        for split, numbers in digits.split_scans(10).items()
    }
    counts = dict(train=40, val=2)
    digits.write_folders(root / 'digits_few', 10)
    scenes.write_coco(root / 'digits_coco', scans, counts, DIGITS)
    out = root / 'digits_cityscapes'
    cityscapes.write_cityscapes(out, scans, counts, DIGITS, 256)
    return root


def _demo(task, data, work_dir, crop=112) -> Config:
    """The demo's config on little data, 'auto', random weights."""
    cfg = read_config(str(ROOT / f'configs/demo/{task}_mgd.py'))
    text = cfg.pretty_text.replace('(\n    112', f'(\n    {crop}')
    for name in FOLDERS:
        text = text.replace(f"'data/{name}", f"'{data}/{name}")
    cfg = Config.fromstring(text.replace('112', str(crop)), '.py')
    cfg.model.teacher.checkpoint = False
    cfg.model.student.backbone.init_cfg = None
    cfg.model.pop('inherit', None)
    cfg.model.distill.loss_mgd.loss.loss_weight = 'auto'
    cfg.model.distill.loss_mgd.auto = dict(target_ratio=TARGET, steps=STEPS)
    cfg.train_cfg = dict(
        type='IterBasedTrainLoop', max_iters=STEPS + AFTER, val_interval=10**6
    )
    for key in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{key}_{part}'] = None
    cfg.default_hooks.pop('visualization', None)
    cfg.default_hooks.checkpoint.update(interval=20, by_epoch=False)
    cfg.train_dataloader.batch_size = 4
    cfg.param_scheduler = []
    cfg.optim_wrapper = dict(optimizer=dict(type='SGD', lr=1e-3))
    cfg.randomness = dict(seed=0, deterministic=True)
    cfg.work_dir, cfg.log_level = str(work_dir), 'WARNING'
    return cfg


@pytest.mark.slow
@pytest.mark.parametrize(
    'task',
    [
        'classification',
        'detection',
        'instance_segmentation',
        'semantic_segmentation',
    ],
)
def test_the_ratio_of_each_task_lands_on_the_target(task, data, tmp_path, run):
    """Within 20 %, over the steps after the weight was frozen."""
    runner = run(_demo(task, data, tmp_path))
    scalars = runner.message_hub.log_scalars
    losses = {
        name.removeprefix('train/'): np.array(history.data[0])[STEPS:]
        for name, history in scalars.items()
        if name.startswith('train/') and 'loss' in name
    }
    ours = sum(v for k, v in losses.items() if k.startswith('loss_mgd'))
    # mmpretrain calls the student's own loss 'loss'; elsewhere it is the sum.
    own = losses['loss'] - (0 if task == 'classification' else ours)
    assert len(own) == AFTER
    assert ours.sum() / own.sum() == pytest.approx(TARGET, rel=0.2)


def _ratio(cfg):
    with DefaultScope.overwrite_default_scope('mmseg'):
        found = calibrate(cfg, batches=4, warmup=0, target=1)
    return found['loss_mgd'].start.ratio


@pytest.mark.slow
def test_half_the_crop_divides_the_ratio_by_four(data, tmp_path):
    """α is the weight of a sum over positions."""
    whole, half = (
        _ratio(_demo('semantic_segmentation', data, tmp_path, crop))
        for crop in (256, 128)
    )
    assert whole / half == pytest.approx(4, rel=0.1)
