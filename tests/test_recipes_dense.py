"""Detection and segmentation against tables written from the sources."""

from pathlib import Path

import pytest
from recipe_tables import (
    DETECTION,
    DETECTION_RECIPES,
    SEGMENTATION,
    SEGMENTATION_HEADS,
    read,
)

from mmmgd.config import check_config


def test_the_recipe_of_pkd():
    cfg = read('detection/pkd_mask-rcnn-swin-s_retinanet-r50_2x_coco.py')
    check_config(cfg)
    model = cfg.model
    assert model.student.type == 'RetinaNet'
    assert model.teacher == dict(
        config='mmdet::swin/mask-rcnn_swin-s-p4-w7_fpn_amp-ms-crop-3x_coco.py'
    )
    assert not model.get('inherit')
    assert model.distill.to_dict() == dict(
        loss_pkd=dict(
            points=[f'neck[{i}]' for i in range(4)],
            resize='student',
            loss=dict(type='mmmgd.PKDLoss', loss_weight=6),
        )
    )
    assert cfg.train_cfg.max_epochs == 24
    assert cfg.optim_wrapper.optimizer.lr == 0.01
    assert cfg.optim_wrapper.get('clip_grad') is None


@pytest.mark.parametrize('name', [n for n in DETECTION if '/mgd_' in n])
def test_recipes_of_detection(name):
    cfg = read(name)
    check_config(cfg)
    student, teacher, weight, ratio, levels, parts, epochs, lr = (
        DETECTION_RECIPES[name]
    )
    model = cfg.model
    assert model.student.type == student
    assert model.student.backbone.depth == 50
    if teacher is None:
        assert model.teacher.config.endswith('solo_r101_fpn_3x_coco.py')
    else:
        assert model.teacher.config == f'mmdet::{teacher}'
        assert 'checkpoint' not in model.teacher  # the published weights
    assert list(model.get('inherit', [])) == parts
    mgd = model.distill.loss_mgd
    assert list(model.distill) == ['loss_mgd']
    assert mgd.loss == dict(type='mmmgd.MGDLoss', loss_weight=weight)
    assert mgd.connector == dict(type='mmmgd.MGDConnector', mask_ratio=ratio)
    assert mgd.points == [f'neck.fpn_convs.{i}.conv' for i in range(levels)]
    assert cfg.train_cfg.max_epochs == epochs
    steps = {12: [8, 11], 24: [16, 22]}[epochs]
    assert cfg.param_scheduler[-1].milestones == steps
    sgd = cfg.optim_wrapper.optimizer
    assert (sgd.type, sgd.lr, sgd.momentum, sgd.weight_decay) == (
        'SGD', lr, 0.9, 0.0001,
    )  # fmt: skip
    assert cfg.optim_wrapper.clip_grad == dict(max_norm=35, norm_type=2)
    assert cfg.train_dataloader.batch_size == 2
    assert cfg.auto_scale_lr.base_batch_size == 16  # 8 x 2
    assert not cfg.get('find_unused_parameters', False)


def test_the_solo_teacher():
    cfg = read('instance_segmentation/solo_r101_fpn_3x_coco.py')
    assert cfg.model.type == 'SOLO'
    assert cfg.model.backbone.depth == 101
    assert cfg.train_cfg.max_epochs == 36
    assert cfg.param_scheduler[-1].milestones == [27, 33]


def test_there_is_each_variant_of_segmentation():
    end = '_40k_cityscapes-512x512.py'
    expected = [f'{s}_r18-d8_8xb2-40k_cityscapes-512x512.py'
                for s in SEGMENTATION_HEADS]  # fmt: skip
    expected += [
        f'{method}_pspnet-r101_{student}-r18{end}'
        for method in ('mgd', 'mgd-cwd', 'mgd-dist')
        for student in SEGMENTATION_HEADS
    ]
    names = {Path(c).name for c in SEGMENTATION}
    assert names == set(expected)


@pytest.mark.parametrize('name', SEGMENTATION)
def test_recipes_of_segmentation(name):
    cfg = read(name)
    check_config(cfg)
    assert cfg.train_cfg.type == 'IterBasedTrainLoop'
    assert cfg.train_cfg.max_iters == 40000
    sgd = cfg.optim_wrapper.optimizer
    assert (sgd.type, sgd.lr, sgd.momentum, sgd.weight_decay) == (
        'SGD', 0.01, 0.9, 0.0005,
    )  # fmt: skip
    (policy,) = cfg.param_scheduler
    assert (policy.type, policy.power, policy.end) == ('PolyLR', 0.9, 40000)
    assert cfg.optim_wrapper.clip_grad is None
    assert cfg.train_dataloader.batch_size == 2
    assert cfg.auto_scale_lr.base_batch_size == 16  # 8 x 2
    (crop,) = [
        t for t in cfg.train_dataloader.dataset.pipeline
        if t.type == 'RandomCrop'
    ]  # fmt: skip
    assert crop.crop_size == (512, 512)
    distilled = '/mgd' in name
    student = cfg.model.student if distilled else cfg.model
    assert student.data_preprocessor['size'] == (512, 512)
    assert student.backbone.depth == 18
    assert student.pretrained == 'open-mmlab://resnet18_v1c'
    kind = 'pspnet' if 'pspnet-r18' in name or '/pspnet' in name else None
    assert student.decode_head.type == SEGMENTATION_HEADS[kind or 'deeplabv3']
    widths = (student.decode_head.channels, student.auxiliary_head.channels)
    assert widths == (128, 64)
    if not distilled:
        return
    assert cfg.model.teacher == dict(
        config='mmseg::pspnet/pspnet_r101-d8_4xb2-40k_cityscapes-512x1024.py'
    )
    assert not cfg.model.get('inherit')
    assert cfg.model.distill.loss_mgd == dict(
        points='backbone.layer4',
        connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.75),
        loss=dict(type='mmmgd.MGDLoss', loss_weight=2e-5),
    )
    method = Path(name).name.partition('_')[0]
    losses = {
        'cwd': dict(type='mmmgd.ChannelWiseDivergence', tau=4, loss_weight=3),
        'dist': dict(
            type='mmmgd.DISTLoss', beta=1, gamma=1, tau=1, loss_weight=1
        ),
    }
    others = {k: v for k, v in cfg.model.distill.items() if k != 'loss_mgd'}
    assert others == {
        f'loss_{kind}': dict(points='decode_head.conv_seg', loss=loss)
        for kind, loss in losses.items()
        if method == f'mgd-{kind}'
    }
