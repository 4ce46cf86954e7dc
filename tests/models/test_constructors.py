"""Layer decay, by the codebases' own constructors."""

import copy
import importlib

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope

VIT = dict(
    type='mmpretrain.ImageClassifier',
    backbone=dict(
        type='VisionTransformer',
        arch=dict(
            embed_dims=16,
            num_layers=3,
            num_heads=2,
            feedforward_channels=32,
        ),
        img_size=128,
        patch_size=16,
        out_type='featmap',
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=4, in_channels=16),
)
CONVNEXT = dict(
    type='mmpretrain.ConvNeXt',
    arch=dict(depths=[1, 1, 3, 1], channels=[8, 8, 16, 16]),
    out_indices=(3,),
    gap_before_final_norm=False,
)
FCN = dict(
    type='mmseg.FCNHead',
    in_channels=16,
    channels=8,
    in_index=0,
    num_classes=2,
    num_convs=1,
)
DETECTOR = dict(
    type='mmdet.SingleStageDetector',
    backbone=CONVNEXT,
    neck=dict(type='mmdet.FPN', in_channels=[16], out_channels=8, num_outs=1),
    bbox_head=dict(
        type='mmdet.RetinaHead',
        num_classes=2,
        in_channels=8,
        feat_channels=8,
        stacked_convs=1,
    ),
)
SEGMENTOR = dict(type='mmseg.EncoderDecoder', decode_head=FCN)
BEIT = dict(
    type='mmseg.BEiT',
    img_size=(128, 128),
    embed_dims=16,
    num_layers=3,
    num_heads=2,
    out_indices=(2,),
)

# scope, constructor, its paramwise_cfg, student, point
CASES = {
    'mmpretrain': (
        'LearningRateDecayOptimWrapperConstructor',
        dict(layer_decay_rate=0.5, custom_keys={'.cls': dict(decay_mult=0)}),
        VIT,
        'backbone',
    ),
    'mmdet': (
        'LearningRateDecayOptimizerConstructor',
        dict(decay_rate=0.5, decay_type='layer_wise', num_layers=6),
        DETECTOR,
        'neck.fpn_convs.0.conv',
    ),
    'mmdet stages': (
        'LearningRateDecayOptimizerConstructor',
        dict(decay_rate=0.5, decay_type='stage_wise', num_layers=6),
        DETECTOR,
        'neck.fpn_convs.0.conv',
    ),
    'mmseg': (
        'LearningRateDecayOptimizerConstructor',
        dict(decay_rate=0.5, decay_type='layer_wise', num_layers=6),
        dict(SEGMENTOR, backbone=CONVNEXT),
        'backbone',
    ),
    'mmseg old': (
        'LayerDecayOptimizerConstructor',
        dict(layer_decay_rate=0.5, num_layers=3),
        dict(SEGMENTOR, backbone=BEIT),
        'backbone',
    ),
}


def _groups(case, model):
    """Rate and decay of each parameter, by the real constructor."""
    scope = case.split()[0]
    constructor, options, *_ = CASES[case]
    importlib.import_module(f'{scope}.engine')
    with DefaultScope.overwrite_default_scope(scope):
        wrapper = build_optim_wrapper(
            model,
            dict(
                optimizer=dict(type='SGD', lr=1.0, weight_decay=0.1),
                constructor=constructor,
                paramwise_cfg=copy.deepcopy(options),
            ),
        )
    return {
        parameter: (group['lr'], group['weight_decay'])
        for group in wrapper.optimizer.param_groups
        for parameter in group['params']
    }


@pytest.fixture
def distiller(request, distiller_cfg):
    scope = request.param.split()[0]
    *_, student, point = CASES[request.param]
    with DefaultScope.overwrite_default_scope(scope):
        cfg = distiller_cfg(
            student=dict(student, _scope_=scope),
            teacher=dict(
                config=dict(model=student, default_scope=scope),
                checkpoint=False,
            ),
        )
        cfg['distill']['loss_mgd']['points'] = point
        return request.param, MODELS.build(cfg)


@pytest.mark.parametrize('distiller', CASES, indirect=True)
def test_the_student_gets_the_rates_of_a_plain_run(distiller):
    case, model = distiller
    plain = copy.deepcopy(model.student)
    expected = _groups(case, plain)
    found = _groups(case, model)
    named = dict(model.student.named_parameters())
    assert len(set(expected.values())) > 3
    for name, parameter in plain.named_parameters():
        assert found.pop(named[name]) == expected[parameter], name
    assert set(found) == set(model.terms.parameters())
    # The connector lies behind the backbone, as a head does.
    assert {rate for rate, _ in found.values()} == {1.0}


@pytest.mark.parametrize('distiller', ['mmpretrain'], indirect=True)
def test_the_order_of_parameters_is_that_of_the_model(distiller):
    """States of an optimizer are saved by number; DDP wraps the model."""
    case, model = distiller
    seen = list(_groups(case, torch.nn.DataParallel(model)))
    assert [id(p) for p in seen] == [id(p) for p in model.parameters()]
