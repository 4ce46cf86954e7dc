"""Hooks of mmdet and mmpretrain that reach into the model, in real runs.

Each run is cut and resumed: it must be the unbroken one, bit by bit.
"""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmpretrain.models import ImageClassifier
from styles import DIGITS

from mmmgd.config import read_config

pytestmark = pytest.mark.usefixtures('quick_start')


@MODELS.register_module(force=True)
class KnowsTheEpoch(ImageClassifier):
    """A student whose loss depends on the epoch that a hook tells it."""

    epoch = None

    def set_epoch(self, epoch):
        self.epoch = epoch

    def loss(self, *args):
        losses = super().loss(*args)
        return {k: v * (1 + self.epoch) for k, v in losses.items()}


@pytest.mark.parametrize('begin', [2, 3])
def test_another_loss_from_an_epoch_on(
    cut_and_whole, runner_cfg, distiller_cfg, begin
):
    """At the epoch at which the run is resumed, and after it."""
    cfg = runner_cfg(distiller_cfg(), epochs=3)
    loss = dict(type='LabelSmoothLoss', label_smooth_val=0.1)
    cfg.custom_hooks = [
        dict(
            type='SwitchRecipeHook',
            schedule=[dict(action_epoch=begin, loss=loss)],
        )
    ]
    for runner in cut_and_whole(cfg, 12 + 3):
        module = runner.model.student.head.loss_module
        assert type(module).__name__ == 'LabelSmoothLoss'


def test_margins_from_the_counts_of_the_classes(
    cut_and_whole, runner_cfg, distiller_cfg
):
    model = distiller_cfg()
    model['student']['head'] = dict(
        type='ArcFaceClsHead', num_classes=4, in_channels=32
    )
    cfg = runner_cfg(model, epochs=2)
    cfg.train_dataloader.dataset.indices = 40  # the last class has fewer
    cfg.custom_hooks = [dict(type='SetAdaptiveMarginsHook')]
    for runner in cut_and_whole(cfg, 10 + 3):
        margins = runner.model.student.head.margins
        expected = torch.tensor([0.05, 0.05, 0.05, 0.5])
        torch.testing.assert_close(margins.float(), expected)


def test_a_student_that_is_told_the_epoch(
    cut_and_whole, runner_cfg, distiller_cfg
):
    model = distiller_cfg()
    model['student']['type'] = 'KnowsTheEpoch'
    cfg = runner_cfg(model, epochs=3)
    cfg.custom_hooks = [dict(type='mmdet.SetEpochInfoHook')]
    for runner in cut_and_whole(cfg, 12 + 3):
        assert runner.model.student.epoch == 2


def _yolox(scenes):
    """YOLOX-tiny at an eighth of its width, three epochs of two steps."""
    cfg = read_config('mmdet::yolox/yolox_tiny_8xb8-300e_coco.py')
    cfg.merge_from_dict(
        {
            'model.backbone.widen_factor': 0.125,
            'model.neck.in_channels': [32, 64, 128],
            'model.neck.out_channels': 32,
            'model.bbox_head.in_channels': 32,
            'model.bbox_head.feat_channels': 32,
            'model.bbox_head.num_classes': 10,
            'model.data_preprocessor.batch_augments': None,
        }
    )
    text = cfg.pretty_text.replace('(640, 640)', '(64, 64)')
    text = text.replace('data/coco/', f'{scenes}/')
    text = text.replace('instances_train2017', 'instances_train')
    return Config.fromstring(
        text.replace('train2017/', 'train/').replace('-320', '-32'), '.py'
    )


def test_yolox_through_its_switch(cut_and_whole, scenes):
    """Its L1 loss begins in the second of three epochs; mosaic ends there."""
    stock = _yolox(scenes)
    hooks = [
        h for h in stock.custom_hooks if h['type'] == 'YOLOXModeSwitchHook'
    ]
    hooks[0]['num_last_epochs'] = 1
    stock.train_dataloader.dataset.dataset.metainfo = dict(
        classes=DIGITS.classes
    )
    stock.train_dataloader.update(
        batch_size=4, num_workers=2, persistent_workers=True
    )
    cfg = dict(
        default_scope='mmdet',
        model=dict(
            type='mmmgd.MGDDistill',
            student=stock.model,
            teacher=dict(config=stock.model, checkpoint=False),
            distill=dict(
                loss_mgd=dict(
                    points=[f'neck.out_convs.{i}' for i in range(3)],
                    connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.5),
                    loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-7),
                )
            ),
        ),
        train_dataloader=stock.train_dataloader,
        train_cfg=dict(by_epoch=True, max_epochs=3),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-5)),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1),
            distill=dict(type='mmmgd.DistillHook'),
        ),
        custom_hooks=hooks,
        randomness=dict(seed=1),
        log_level='WARNING',
    )
    for runner in cut_and_whole(Config(cfg), 2 + 1):
        assert runner.model.student.bbox_head.use_l1
        history = runner.message_hub.get_scalar('train/loss_l1')
        assert len(history.data[0]) == 2 * 2
