"""One step through MMRazor, with its parts and with ours, and MGDDistill.

The same models, weights, data and masks give the same losses and the same
gradients of the student, task loss included.
"""

import copy

import pytest
import torch
from mmengine.registry import MODELS

from mmmgd.config import read_config

RETINANET = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'
PSPNET = 'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'


def _classifier(width):
    return dict(
        type='ImageClassifier',
        backbone=dict(
            type='ResNet_CIFAR',
            depth=18,
            stem_channels=width,
            base_channels=width,
        ),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=10, in_channels=8 * width),
    )


def _detector(width):
    cfg = read_config(RETINANET).model
    cfg.backbone.update(
        depth=18, base_channels=width, init_cfg=None, frozen_stages=-1
    )
    cfg.neck.in_channels = [width * 2**i for i in range(4)]
    cfg.neck.out_channels = 4 * width
    cfg.bbox_head.update(
        in_channels=4 * width, feat_channels=8, stacked_convs=1, num_classes=3
    )
    return cfg.to_dict()


def _segmentor(width):
    cfg = read_config(PSPNET).model
    norm = dict(type='BN')
    cfg.update(pretrained=None)
    cfg.data_preprocessor.update(size=(64, 64))
    cfg.backbone.update(
        stem_channels=width, base_channels=width, norm_cfg=norm
    )
    # A teacher's dropout stays on in MMRazor.
    for head, stage in ((cfg.decode_head, 8), (cfg.auxiliary_head, 4)):
        head.update(
            in_channels=stage * width,
            channels=8,
            num_classes=4,
            norm_cfg=norm,
            dropout_ratio=0,
        )
    return cfg.to_dict()


def _classes(n):
    from mmpretrain.structures import DataSample

    return [DataSample().set_gt_label(i) for i in range(n)]


def _boxes(n):
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    samples = []
    for i in range(n):
        size = dict.fromkeys(('img_shape', 'batch_input_shape'), (64, 64))
        sample = DetDataSample(
            metainfo=dict(size, pad_shape=(64, 64), scale_factor=(1, 1))
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[4.0 + i, 8, 40, 56]]),
            labels=torch.tensor([i]),
        )
        samples.append(sample)
    return samples


def _maps(n):
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    samples = []
    for i in range(n):
        labels = (torch.arange(64 * 64) // 1024 + i) % 4
        sample = SegDataSample(metainfo=dict(img_shape=(64, 64)))
        sample.gt_sem_seg = PixelData(data=labels.reshape(1, 64, 64))
        samples.append(sample)
    return samples


# scope, MMRazor's algorithm, model, labels, points, widths, λ, mask
PAIRS = {
    'cls': ('mmpretrain', 'SingleTeacherDistill', _classifier, _classes,
            ['backbone.layer4'], (32, 48), 0.15, 'channel'),
    'det': ('mmdet', 'FpnTeacherDistill', _detector, _boxes,
            [f'neck.fpn_convs.{i}.conv' for i in range(5)], (16, 16), 0.65,
            'spatial'),
    'seg': ('mmseg', 'SingleTeacherDistill', _segmentor, _maps,
            ['backbone.layer4'], (32, 64), 0.75, 'spatial'),
}  # fmt: skip
TEACHER = {'cls': 6, 'det': 4, 'seg': 8}
ALPHA = 1e-3


def _ours(kind):
    scope, _, model, _, points, _, ratio, dim = PAIRS[kind]
    teacher = dict(model=model(TEACHER[kind]), default_scope=scope)
    return dict(
        type='mmmgd.MGDDistill',
        student=dict(model(4), _scope_=scope),
        teacher=dict(config=teacher, checkpoint=False),
        distill=dict(
            loss_mgd=dict(
                points=points,
                connector=dict(
                    type='mmmgd.MGDConnector', mask_ratio=ratio, mask_dim=dim
                ),
                loss=dict(type='mmmgd.MGDLoss', loss_weight=ALPHA),
            )
        ),
    )


def _mmrazor(kind, connector, loss):
    """Config of MMRazor's algorithm around the same two models."""
    scope, algorithm, model, _, points, widths, _, _ = PAIRS[kind]
    connector.update(student_channels=widths[0], teacher_channels=widths[1])
    recorders = {
        f'p{i}': dict(type='ModuleOutputs', source=point)
        for i, point in enumerate(points)
    }
    return dict(
        _scope_='mmrazor',
        type=algorithm,
        architecture=dict(model(4), _scope_=scope),
        teacher=dict(model(TEACHER[kind]), _scope_=scope),
        distiller=dict(
            type='ConfigurableDistiller',
            student_recorders=recorders,
            teacher_recorders=recorders,
            connectors=dict.fromkeys(recorders, connector),
            distill_losses={f'loss_{p}': loss for p in recorders},
            loss_forward_mappings={
                f'loss_{p}': dict(
                    preds_S=dict(recorder=p, from_student=True, connector=p),
                    preds_T=dict(recorder=p, from_student=False),
                )
                for p in recorders
            },
        ),
    )


def _variants(kind):
    """MMRazor with its own connector and loss, and with ours."""
    *_, ratio, dim = PAIRS[kind]
    theirs = _mmrazor(
        kind,
        dict(
            type='MGDConnector',
            lambda_mgd=ratio,
            mask_on_channel=dim == 'channel',
        ),
        dict(type='MGDLoss', alpha_mgd=ALPHA),
    )
    mixed = _mmrazor(
        kind,
        dict(type='mmmgd.MGDConnector', mask_ratio=ratio, mask_dim=dim),
        dict(type='mmmgd.MGDLoss', loss_weight=ALPHA),
    )
    return theirs, mixed


def _seed(i):
    """MMRazor's connector draws from the global stream: say which numbers."""

    def hook(module, args):
        torch.manual_seed(i)

    return hook


def _same_mask(i, width, ratio, dim):
    """Hand our connector the mask that MMRazor's draws from that seed."""

    def hook(module, args, kwargs):
        n, _, h, w = args[0].shape
        torch.manual_seed(i)
        shape = (n, 1, h, w) if dim == 'spatial' else (n, width, 1, 1)
        keep = (torch.rand(shape) <= 1 - ratio).to(args[0])
        assert 0 < keep.mean() < 1 or h * w < 16
        return args, {'mask': keep}

    return hook


def _step(model, student, images, samples):
    """One training step; returns distillation losses and gradients."""
    model.train()
    losses = model(images, copy.deepcopy(samples), mode='loss')
    model.parse_losses(losses)[0].backward()
    names = [k for k in losses if k.startswith(('distill.', 'loss_mgd'))]
    grads = {k: p.grad for k, p in student.named_parameters()}
    assert all(g is not None for g in grads.values())
    return [losses[k].detach() for k in names], grads


def _close(actual, expected, tolerance):
    """Differences, relative to the largest element."""
    scale = expected.abs().max()
    assert (actual - expected).abs().max() <= tolerance * scale + 1e-30


@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [(torch.float64, 1e-9), (torch.float32, 1e-5)]
)
@pytest.mark.parametrize('kind', PAIRS)
def test_three_drivers_agree(kind, dtype, tolerance, build):
    _, _, _, labels, points, widths, ratio, dim = PAIRS[kind]
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 64, 64, generator=generator, dtype=dtype)
    samples = labels(2)

    ours = build(_ours(kind))
    connectors = ours.terms['loss_mgd'].connectors
    for i, connector in enumerate(connectors):
        connector.register_forward_pre_hook(
            _same_mask(i, widths[1], ratio, dim), with_kwargs=True
        )
    models = [ours.to(dtype)]
    for native, cfg in zip((True, False), _variants(kind), strict=True):
        model = MODELS.build(cfg).to(dtype)
        model.architecture.load_state_dict(ours.student.state_dict())
        model.teacher.load_state_dict(ours.teacher.module.state_dict())
        for i, module in enumerate(model.distiller.connectors.values()):
            module.load_state_dict(connectors[i].state_dict())
            if native:
                module.register_forward_pre_hook(_seed(i))
            else:
                module.register_forward_pre_hook(
                    _same_mask(i, widths[1], ratio, dim), with_kwargs=True
                )
        models.append(model)
    assert type(models[1].distiller.connectors['p0']) is not type(
        connectors[0]
    )
    assert type(models[2].distiller.connectors['p0']) is type(connectors[0])

    expected, gradients = _step(ours, ours.student, images, samples)
    assert len(expected) == len(points)
    for model in models[1:]:
        losses, grads = _step(model, model.architecture, images, samples)
        for loss, reference in zip(losses, expected, strict=True):
            assert loss > 0
            _close(loss, reference, tolerance)
        assert grads.keys() == gradients.keys()
        for key, grad in grads.items():
            _close(grad, gradients[key], tolerance)
    _the_losses_matter(models[1], images, samples, gradients)


def _the_losses_matter(model, images, samples, gradients):
    """Without distillation the gradients are others by far."""
    model.zero_grad()
    model.distillation_stopped = True
    losses, grads = _step(model, model.architecture, images, samples)
    assert losses == []
    key = next(k for k in grads if k.startswith('backbone'))
    difference = (grads[key] - gradients[key]).abs().max()
    assert difference > 1e-2 * gradients[key].abs().max()
