"""The configs against tables written from the authors' recipes."""

from pathlib import Path

import pytest
from families import FAMILIES

from mmmgd.config import check_config, read_config

ROOT = Path(__file__).parents[1] / 'configs'


def _names(folder):
    """Return the recipes of a folder; families have tests of their own."""
    names = (f'{folder}/{p.name}' for p in (ROOT / folder).glob('*.py'))
    return sorted(name for name in names if name not in FAMILIES)


CLASSIFICATION = _names('classification')
VITKD = [n for n in CLASSIFICATION if '/vitkd' in n]
CLASSIFICATION = [n for n in CLASSIFICATION if n not in VITKD]
DETECTION = _names('detection') + _names('instance_segmentation')
SEGMENTATION = _names('semantic_segmentation')

# Written from the authors' recipes, not from the configs:
# teacher, loss_weight, mask_ratio, mask_dim, logit loss, clip
R18, R34, R50 = (f'resnet{d}_8xb32_in1k.py' for d in (18, 34, 50))
RECIPES = {
    'mgd-channel_resnet34_resnet18': (R34, 7e-5, 0.15, 'channel', None, None),
    'mgd-spatial_resnet34_resnet18': (R34, 7e-5, 0.5, 'spatial', None, None),
    'mgd-channel-wsld_resnet34_resnet18': (
        R34, 7e-5, 0.15, 'channel', 'wsld', None),
    'mgd-channel_resnet50_mobilenet-v1': (
        R50, 7e-5, 0.15, 'channel', None, 5.0),
    'mgd-channel-wsld_resnet50_mobilenet-v1': (
        R50, 7e-5, 0.15, 'channel', 'wsld', 5.0),
    'mgd-channel-nkd_resnet34_resnet18': (
        R34, 7e-5, 0.15, 'channel', 'nkd', None),
    'mgd-channel-nkd_resnet50_mobilenet-v1': (
        R50, 7e-5, 0.15, 'channel', 'nkd', 5.0),
    'mgd-channel_resnet18_resnet18': (R18, 7e-5, 0.15, 'channel', None, None),
    'mimic_resnet34_resnet18': (R34, 7e-5, None, None, None, None),
    'mimic_resnet18_resnet18': (R18, 7e-5, None, None, None, None),
    'mobilenet-v1': None,
}  # fmt: skip
# teacher, its weights if not the first ones that are published for it
DEIT3 = ('deit3/deit3-small-p16_64xb64_in1k.py', 'deit3-small-p16_in21k-pre_')
VITKD_RECIPES = {
    'vitkd_deit3-small': DEIT3,
    'vitkd-nkd_deit3-small': DEIT3,
    'vitkd_deit-base': ('deit/deit-base_16xb64_in1k.py', ''),
}  # fmt: skip
LOGIT_LOSSES = {
    'wsld': dict(type='mmmgd.WSLD', tau=2, loss_weight=2.5),
    'nkd': dict(type='mmmgd.NKDLoss', gamma=1.5, tau=1, loss_weight=1),
}


# student, teacher, loss_weight, mask_ratio, FPN levels, inherit, epochs, lr
CASCADE = 'dcn/cascade-mask-rcnn_x101-32x4d-dconv-c3-c5_fpn_1x_coco.py'
BACKBONE_OUT = ['neck', 'bbox_head']
DETECTION_RECIPES = {
    'detection/mgd_retinanet-x101_retinanet-r50_2x_coco.py': (
        'RetinaNet', 'retinanet/retinanet_x101-64x4d_fpn_1x_coco.py',
        2e-5, 0.65, 5, BACKBONE_OUT, 24, 0.01),
    'detection/mgd_cascade-mask-rcnn-x101_faster-rcnn-r50_2x_coco.py': (
        'FasterRCNN', CASCADE, 5e-7, 0.45, 4, [], 24, 0.02),
    'detection/mgd_reppoints-x101_reppoints-r50_2x_coco.py': (
        'RepPointsDetector',
        'reppoints/reppoints-moment_x101-dconv-c3-c5_fpn-gn_head-gn_2x_coco'
        '.py', 2e-5, 0.65, 5, BACKBONE_OUT, 24, 0.01),
    'instance_segmentation/mgd_solo-r101_solo-r50_1x_coco.py': (
        'SOLO', None, 2e-5, 0.65, 4, ['neck', 'mask_head'], 12, 0.01),
    'instance_segmentation/'
    'mgd_cascade-mask-rcnn-x101_mask-rcnn-r50_2x_coco.py': (
        'MaskRCNN', CASCADE, 5e-7, 0.45, 4, [], 24, 0.02),
    'instance_segmentation/solo_r101_fpn_3x_coco.py': None,
}  # fmt: skip

# student's decode head; everything else is the same in all of them
SEGMENTATION_HEADS = {'pspnet': 'PSPHead', 'deeplabv3': 'ASPPHead'}


def _read(name):
    return read_config(str(ROOT / name))


def test_there_is_a_recipe_for_each_config():
    names = {Path(c).name for c in CLASSIFICATION}
    assert names == {f'{r}_8xb32_in1k.py' for r in RECIPES}
    assert {Path(c).name for c in VITKD} == {
        f'{r}_deit-tiny_4xb256_in1k.py' for r in VITKD_RECIPES
    }


@pytest.mark.parametrize('name', CLASSIFICATION)
def test_recipes_of_classification(name):
    cfg = _read(name)
    check_config(cfg)
    assert cfg.train_cfg.max_epochs == 100
    sgd = cfg.optim_wrapper.optimizer
    assert sgd.type == 'SGD'
    assert (sgd.lr, sgd.momentum, sgd.weight_decay) == (0.1, 0.9, 0.0001)
    assert cfg.param_scheduler.milestones == [30, 60, 90]
    assert cfg.train_dataloader.batch_size == 32
    assert cfg.auto_scale_lr.base_batch_size == 256  # 8 x 32
    recipe = RECIPES[Path(name).name.removesuffix('_8xb32_in1k.py')]
    if recipe is None:
        assert cfg.model.backbone.type == 'mmmgd.MobileNetV1'
        return
    teacher, weight, ratio, dim, logits, clip = recipe
    model = cfg.model
    assert model.teacher.config == f'mmpretrain::resnet/{teacher}'
    assert 'checkpoint' not in model.teacher  # the published weights
    mgd = model.distill.loss_mgd
    assert mgd.loss == dict(type='mmmgd.MGDLoss', loss_weight=weight)
    assert mgd.connector.get('mask_ratio') == ratio
    assert mgd.connector.get('mask_dim') == dim
    last = 'backbone.layer4'
    if 'mobilenet' in name:
        last = dict(student='backbone.stage5', teacher=last)
    assert mgd.points == last
    entries = dict(model.distill)
    del entries['loss_mgd']
    if logits:
        entry = entries.pop(f'loss_{logits}')
        assert entry == dict(points='head.fc', loss=LOGIT_LOSSES[logits])
    assert not entries
    grad = cfg.optim_wrapper.get('clip_grad')
    assert (grad and grad.max_norm) == clip


@pytest.mark.parametrize('name', VITKD)
def test_recipes_of_vitkd(name):
    cfg = _read(name)
    check_config(cfg)
    assert cfg.train_dataloader.batch_size == 256
    assert cfg.auto_scale_lr.base_batch_size == 1024  # 4 x 256
    assert cfg.optim_wrapper.optimizer.type == 'AdamW'
    student = cfg.model.student
    assert student.backbone.arch == 'deit-tiny'
    assert [a.type for a in student.train_cfg.augments] == ['Mixup', 'CutMix']
    recipe = Path(name).name.removesuffix('_deit-tiny_4xb256_in1k.py')
    teacher, weights = VITKD_RECIPES[recipe]
    assert cfg.model.teacher.config == f'mmpretrain::{teacher}'
    checkpoint = cfg.model.teacher.get('checkpoint', '')
    assert Path(checkpoint).name.startswith(weights)
    entries = dict(cfg.model.distill)
    if 'nkd' in recipe:
        nkd = dict(type='mmmgd.NKDLoss', gamma=1, tau=1, loss_weight=1)
        entry = entries.pop('loss_nkd')
        assert entry == dict(points='head.layers.head', loss=nkd)
    assert entries == dict(
        loss_shallow=dict(
            points=['backbone.layers.0', 'backbone.layers.1'],
            connector=dict(type='mmmgd.AlignConnector'),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=3e-5),
        ),
        loss_deep=dict(
            points='backbone.ln1',
            connector=dict(
                type='mmmgd.MGDConnector',
                mask_ratio=0.5,
                mask='fixed',
                mask_token=True,
            ),
            loss=dict(
                type='mmmgd.MGDLoss', loss_weight=3e-6, hidden_only=True
            ),
        ),
    )


def test_the_recipe_of_pkd():
    cfg = _read('detection/pkd_mask-rcnn-swin-s_retinanet-r50_2x_coco.py')
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
    cfg = _read(name)
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
    cfg = _read('instance_segmentation/solo_r101_fpn_3x_coco.py')
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
    cfg = _read(name)
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
