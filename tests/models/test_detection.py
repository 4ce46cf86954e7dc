"""MGDDistill around mmdet's detectors: real models at a small width."""

import copy

import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.registry import MODELS
from mmengine.structures import InstanceData

from mmmgd.config import read_config

WIDTH = 32
SHRUNK = {
    'feat_channels',
    'out_channels',
    'conv_out_channels',
    'point_feat_channels',
}
CASCADE = 'dcn/cascade-mask-rcnn_r50-dconv-c3-c5_fpn_1x_coco.py'
PAIRS = {
    'one-stage': ('retinanet/retinanet_r50_fpn_2x_coco.py',) * 2 + (5,),
    'two-stage': ('faster_rcnn/faster-rcnn_r50_fpn_2x_coco.py', CASCADE, 4),
    'solo': ('solo/solo_r50_fpn_1x_coco.py',) * 2 + (4,),
}


def _shrink(cfg, base_channels):
    """Make an upstream model small: ResNet-18, 32 channels after the FPN."""
    cfg.backbone.update(
        depth=18, base_channels=base_channels, init_cfg=None, frozen_stages=-1
    )
    if cfg.backbone.get('dcn'):  # BasicBlock has no DCN; bottlenecks have
        cfg.backbone.depth = 50
    factor = 4 if cfg.backbone.depth == 50 else 1

    def walk(node):
        for key, value in node.items():
            if key in SHRUNK or (key == 'in_channels' and value == 256):
                node[key] = WIDTH
            elif key == 'fc_out_channels':
                node[key] = 64
            elif isinstance(value, dict):
                walk(value)
            elif isinstance(value, list):
                [walk(v) for v in value if isinstance(v, dict)]

    walk(cfg)
    cfg.neck.in_channels = [factor * base_channels * 2**i for i in range(4)]
    return cfg


def _model(path, base_channels=8):
    return _shrink(read_config(f'mmdet::{path}').model, base_channels)


def _distiller(kind, **changes):
    student, teacher, levels = PAIRS[kind]
    cfg = dict(
        type='mmmgd.MGDDistill',
        student=_model(student),
        teacher=dict(
            config=dict(model=_model(teacher, 12), default_scope='mmdet'),
            checkpoint=False,
        ),
        distill=dict(
            loss_mgd=dict(
                points=[f'neck.fpn_convs.{i}.conv' for i in range(levels)],
                connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.65),
                loss=dict(type='mmmgd.MGDLoss', loss_weight=2e-5),
            )
        ),
    )
    cfg['student']['_scope_'] = 'mmdet'
    cfg.update(changes)
    return cfg


@pytest.fixture
def scene():
    """One image of 128 x 160 pixels with two objects, and an empty one."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 128, 160, generator=generator)
    samples = []
    for boxes in ([[8.0, 16, 72, 96], [40, 30, 150, 120]], []):
        boxes = torch.tensor(boxes).reshape(-1, 4)
        masks = torch.zeros(len(boxes), 128, 160, dtype=torch.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.int(), strict=True):
            mask[y1:y2, x1:x2] = 1
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(128, 160),
                batch_input_shape=(128, 160),
                pad_shape=(128, 160),
                ori_shape=(128, 160),
                scale_factor=(1, 1),
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=boxes,
            labels=torch.arange(len(boxes)),
            masks=BitmapMasks(masks.numpy(), 128, 160),
        )
        samples.append(sample)
    return images, samples


def _spy(teacher):
    """Count each call into a part of the teacher that is not its trunk."""
    calls = []

    def count(name, function):
        def wrapped(*args, **kwargs):
            calls.append(name)
            return function(*args, **kwargs)

        return wrapped

    parts = {
        name: module
        for name, module in teacher.named_modules()
        if not name.startswith(('backbone', 'neck', 'data_preprocessor'))
    }
    assert len(parts) > 5
    methods = ('loss', 'predict', 'loss_by_feat', 'predict_by_feat',
               'get_targets', 'loss_and_predict')  # fmt: skip
    for name, module in parts.items():
        if name:
            module.register_forward_hook(count(name, lambda *_: None))
        for method in methods:
            if hasattr(module, method):
                found = getattr(module, method)
                setattr(module, method, count(f'{name}.{method}', found))
    return calls


@pytest.mark.parametrize('kind', PAIRS)
def test_of_the_teacher_only_the_trunk_runs(kind, build, scene):
    """No RPN, RoI head, dense head, mask branch, targets or loss."""
    model = build(_distiller(kind))
    model.train()
    calls = _spy(model.teacher.module)
    images, samples = scene
    levels = PAIRS[kind][2]
    for _ in range(10):
        losses = model(images, copy.deepcopy(samples), mode='loss')
        total, log = model.parse_losses(losses)
        total.backward()
    assert calls == []
    assert [k for k in log if 'mgd' in k] == [
        f'loss_mgd.{i}' for i in range(levels)
    ]
    assert total.isfinite()
    # the spy does see what runs
    with torch.no_grad():
        model.teacher.module.predict(images, copy.deepcopy(samples))
    assert calls


def test_the_logged_losses_are_the_plain_formula(build, scene):
    """Computed outside, from recorded features and masks."""
    model = build(_distiller('one-stage'))
    model.train()
    images, samples = scene
    names = [f'neck.fpn_convs.{i}.conv' for i in range(5)]
    recorded, masked = {}, {}
    connectors = model.terms['loss_mgd'].connectors
    for side, part in (('s', model.student), ('t', model.teacher.module)):
        for name in names:
            part.get_submodule(name).register_forward_hook(
                lambda m, a, out, k=(side, name): recorded.update({k: out})
            )
    for i, connector in enumerate(connectors):
        connector.generation[0].register_forward_pre_hook(
            lambda m, args, i=i: masked.update({i: args[0]})
        )
    losses = model(images, samples, mode='loss')
    for i, name in enumerate(names):
        s, t = recorded['s', name], recorded['t', name]
        keep = (masked[i] != 0).any(dim=1, keepdim=True)
        first, second = (
            connectors[i].generation[0],
            connectors[i].generation[2],
        )
        x = torch.nn.functional.conv2d(
            s * keep, first.weight, first.bias, padding=1
        ).clamp(min=0)
        x = torch.nn.functional.conv2d(
            x, second.weight, second.bias, padding=1
        )
        expected = 2e-5 * ((x - t) ** 2).sum() / len(images)
        torch.testing.assert_close(
            losses[f'loss_mgd.{i}'], expected, rtol=1e-5, atol=0
        )
    hidden = 1 - (masked[0] != 0).any(dim=1).float().mean().item()
    assert hidden == pytest.approx(0.65, abs=0.05)


def test_the_points_of_reppoints_lie_before_the_norm(build):
    path = 'reppoints/reppoints-moment_r50_fpn-gn_head-gn_2x_coco.py'
    model = build(
        _distiller(
            'one-stage',
            student={**_model(path), '_scope_': 'mmdet'},
            teacher=dict(
                config=dict(model=_model(path, 12), default_scope='mmdet'),
                checkpoint=False,
            ),
        )
    )
    images = torch.randn(1, 3, 256, 256)  # GN needs two values a group
    trunk = model.teacher.module
    features = model.teacher.extract(images)
    with torch.no_grad():
        outputs = trunk.neck(trunk.backbone(images))
    for i in range(5):
        before = features[f'neck.fpn_convs.{i}.conv']
        conv = trunk.neck.fpn_convs[i]
        assert conv.with_norm
        torch.testing.assert_close(conv.norm(before), outputs[i])
        assert not torch.allclose(before, outputs[i])


def test_a_wider_fpn_is_aligned(build, scene):
    cfg = _distiller('one-stage')
    teacher = cfg['teacher']['config']['model']
    teacher.neck.out_channels = 48
    model = build(cfg)
    losses = model(*scene, mode='loss')
    assert losses['loss_mgd.4'] > 0
    assert model.terms['loss_mgd'].connectors[0].align.weight.shape == (
        48, WIDTH, 1, 1,
    )  # fmt: skip


def test_fewer_levels_in_the_teacher_are_refused(build):
    cfg = _distiller('one-stage')
    cfg['teacher']['config']['model'].neck.num_outs = 4
    with pytest.raises(ValueError, match="fpn_convs.4.conv'. Close names"):
        build(cfg)


def test_levels_in_another_order_are_refused(build):
    cfg = _distiller('one-stage')
    cfg['distill']['loss_mgd']['points'] = [
        dict(
            student=[f'neck.fpn_convs.{i}.conv' for i in (0, 1)],
            teacher=[f'neck.fpn_convs.{i}.conv' for i in (1, 0)],
        )
    ]
    with pytest.raises(ValueError, match='same height and width'):
        build(cfg)


def test_neck_and_head_start_from_the_teacher(build, tmp_path):
    torch.manual_seed(1)
    cfg = _distiller('one-stage', inherit=['bbox_head'])
    teacher = MODELS.build(
        {**_model(PAIRS['one-stage'][0], 12), '_scope_': 'mmdet'}
    )
    torch.save(teacher.state_dict(), tmp_path / 't.pth')
    cfg['teacher']['checkpoint'] = str(tmp_path / 't.pth')
    model = build(cfg)
    for key, value in teacher.bbox_head.state_dict().items():
        assert torch.equal(model.student.bbox_head.state_dict()[key], value)
    # copied, not shared
    with torch.no_grad():
        model.student.bbox_head.retina_cls.weight.add_(1)
    weight = model.teacher.module.bbox_head.retina_cls.weight
    assert torch.equal(weight, teacher.bbox_head.retina_cls.weight)


@pytest.mark.parametrize(
    ('parts', 'message'),
    [
        (['neck'], r"lateral_convs.0.conv.weight' is \(32, 16, 1, 1\) in the "
                   r'student and \(32, 24, 1, 1\)'),
        (['bbox_haed'], "Close names: 'bbox_head'"),
        ('neck', r"Write \['neck'\]"),
    ],
)  # fmt: skip
def test_a_part_that_cannot_be_inherited_is_refused(build, parts, message):
    with pytest.raises(ValueError, match=message):
        build(_distiller('one-stage', inherit=parts))


def test_an_inherited_head_must_be_in_the_file(build, tmp_path):
    cfg = _distiller('one-stage', inherit=['bbox_head'])
    teacher = MODELS.build(
        {**_model(PAIRS['one-stage'][0], 12), '_scope_': 'mmdet'}
    )
    state = teacher.state_dict()
    del state['bbox_head.retina_cls.weight']
    torch.save(state, tmp_path / 't.pth')
    cfg['teacher']['checkpoint'] = str(tmp_path / 't.pth')
    with pytest.raises(ValueError, match='missing: bbox_head.retina_cls.wei'):
        build(cfg)
    cfg['inherit'] = []
    build(cfg)
