"""Large, padded and odd batches; levels; points that need labels."""

import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS

sys.path.insert(0, str(Path(__file__).parent))
import test_detection as detection
from small_models import vit

from mmmgd.config import read_config
from mmmgd.points.blank import blank_samples

STEM = 'backbone.conv1.weight'


def _pixels(sizes):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randint(0, 256, (3, *s), dtype=torch.uint8, generator=generator)
        for s in sizes
    ]


def _step(model, sizes):
    """Run a training step's passes on raw images of these sizes."""
    samples = [blank_samples(model.student, s)[0] for s in sizes]
    data = dict(inputs=_pixels(sizes), data_samples=samples)
    batch = model.train().data_preprocessor(data, True)
    losses = model(**batch, mode='loss')
    names = [n for t in model.terms.values() for n in t.log_names]
    sum(losses[n] for n in names).backward()
    grad = dict(model.student.named_parameters())[STEM].grad
    assert grad.isfinite().all() and grad.abs().sum() > 0
    assert all(losses[n].isfinite() and losses[n] > 0 for n in names)
    return {n: losses[n].item() for n in names}


def _against(teacher, point, **entry):
    cfg = detection._distiller('one-stage')
    cfg['teacher'] = dict(teacher, checkpoint=False)
    loss = cfg['distill']['loss_mgd']
    loss.update(
        points=dict(student='neck.fpn_convs.1.conv', teacher=point), **entry
    )
    return cfg


TEACHERS = {
    'the same strides': lambda: detection._distiller('one-stage'),
    'tokens of 16x16 pixels': lambda: _against(
        dict(config=vit(patch_size=16)), 'backbone.layers.2'
    ),
    'tokens of 14x14 pixels': lambda: _against(
        dict(config=vit(patch_size=14, img_size=28), multiple_of=14),
        'backbone.layers.2', resize='teacher',
    ),
    'half the stride': lambda: _against(
        dict(config=dict(model=detection._model(
            detection.PAIRS['one-stage'][0], 12), default_scope='mmdet')),
        'neck.fpn_convs.0.conv', resize='student',
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    'teacher',
    [
        pytest.param(t, marks=pytest.mark.slow if '16' in t else [])
        for t in TEACHERS
    ],
)
def test_padded_batches_of_any_size(build, teacher):
    """801 x 1333 beside a smaller image: padded to 832 x 1344."""
    _step(build(TEACHERS[teacher]()), [(801, 1333), (640, 427)])


@pytest.mark.parametrize('resize', ['student', 'teacher'])
def test_33_positions_against_32(distiller_cfg, build, resize):
    cfg = distiller_cfg(image_size=264)
    cfg['teacher']['input_size'] = 256
    cfg['distill']['loss_mgd']['resize'] = resize
    model = build(cfg)
    assert model.seen.shapes['backbone.layer4'][2:] == (33, 33)
    assert model.teacher.shapes['backbone.layer4'][2:] == (32, 32)
    _step(model, [(264, 264)] * 2)
    del cfg['distill']['loss_mgd']['resize']
    message = "33, 33.*32, 32.*resize='teacher' brings.*to 33x33"
    with pytest.raises(ValueError, match=message):
        MODELS.build(cfg)


def _levels(points, **teacher):
    cfg = detection._distiller('one-stage')
    cfg['teacher']['config']['model'].neck.update(teacher)
    cfg['distill']['loss_mgd']['points'] = points
    return cfg


def test_a_module_that_runs_on_each_level_is_compared_on_each(build):
    point = 'bbox_head.cls_convs.1'
    named = [f'{point}@{i}' for i in range(5)]
    losses = [
        _step(build(_levels(points)), [(128, 160)] * 2)
        for points in (point, named)
    ]
    assert list(losses[0]) == [f'loss_mgd.{i}' for i in range(5)]
    assert losses[0] == losses[1]
    one = build(_levels(named[1]))
    assert one.seen.shapes == {named[1]: (1, 32, 14, 14)}


def test_another_number_of_levels_is_refused():
    cfg = _levels('bbox_head.cls_convs.1', num_outs=4)
    with pytest.raises(ValueError, match='runs 5 times .* 4 times. Name lev'):
        MODELS.build(cfg)


def _detr(width):
    cfg = read_config('mmdet::detr/detr_r18_8xb2-500e_coco.py').model
    cfg.backbone.update(base_channels=width, init_cfg=None, frozen_stages=-1)
    cfg.backbone.norm_cfg.requires_grad = True
    cfg.neck.in_channels = [8 * width]
    cfg.encoder.num_layers = cfg.decoder.num_layers = 1
    cfg['_scope_'] = 'mmdet'
    return cfg


@pytest.fixture
def detrs():
    """Two DETRs, whose encoder is reached with data samples only."""
    return dict(
        type='mmmgd.MGDDistill',
        student=_detr(8),
        teacher=dict(
            config=dict(model=_detr(12), default_scope='mmdet'),
            checkpoint=False,
        ),
        distill=dict(
            loss_mgd=dict(
                points='encoder',
                connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.5),
                loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-4),
            )
        ),
    )


def test_points_that_need_labels(detrs, build):
    model = build(detrs)
    assert model.seen.way == ('loss', True)
    assert model.teacher.seen.way == ('tensor', True)
    assert model.seen.shapes == {'encoder': (1, 256, 7, 7)}
    _step(model, [(128, 200), (97, 160)])


def test_the_teacher_sees_the_sizes_of_the_images(detrs, build):
    """Its attention is masked by them, as under its own preprocessor."""
    model = build(detrs).eval()
    sizes = [(128, 192), (64, 128)]
    samples = [blank_samples(model.student, s)[0] for s in sizes]
    data = dict(inputs=_pixels(sizes), data_samples=samples)
    batch = model.data_preprocessor(data, True)
    ours = model.teacher.extract(batch['inputs'], batch['image_sizes'])
    seen = {}
    module = model.teacher.module
    module.encoder.register_forward_hook(
        lambda module, args, output: seen.update(tokens=output)
    )
    with torch.no_grad():
        module(batch['inputs'], batch['data_samples'], mode='tensor')
    expected = seen['tokens'].transpose(1, 2).unflatten(2, (4, 6))
    assert torch.equal(ours['encoder'], expected)
    whole = model.teacher.extract(batch['inputs'], None)['encoder']
    assert torch.equal(whole[0], expected[0])
    assert not torch.allclose(whole[1], expected[1])


def test_labels_of_the_dry_pass_leave_no_trace(detrs):
    torch.manual_seed(3)
    plain = MODELS.build(_detr(8))
    state = torch.get_rng_state()
    torch.manual_seed(3)
    model = MODELS.build(detrs)
    assert torch.equal(torch.get_rng_state(), state)
    ours = model.student.state_dict()
    assert all(torch.equal(ours[k], v) for k, v in plain.state_dict().items())
    assert model.student.training
