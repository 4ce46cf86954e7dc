import pytest
import torch
from mmengine.registry import MODELS

from mmmgd.points.candidates import candidates
from mmmgd.points.dry_pass import dry_pass
from mmmgd.points.propose import propose_pairs
from mmmgd.points.tap import FeatureTap


@pytest.fixture
def model(classifier_cfg):
    return MODELS.build(classifier_cfg())


def test_each_point_works_and_has_this_shape(model):
    points, reason = candidates(model, (64, 64))
    assert reason == '' and len(points) > 30
    names = [c.point for c in points]
    shapes = dry_pass(model, names, 'student', (64, 64)).shapes
    assert {c.point: c.shape for c in points} == shapes
    model.eval()
    with FeatureTap(model, names, 'student').record() as features:
        model(torch.zeros(1, 3, 64, 64))
    assert {k: tuple(f.shape) for k, f in features.items()} == shapes


def test_what_is_overwritten_or_runs_twice_is_left_out(model):
    names = {c.point for c in candidates(model, (64, 64))[0]}
    left_out = {
        'backbone.layer4.0.bn1',  # ReLU works in place
        'backbone.layer4.0.relu',  # for both convolutions
    }
    assert left_out <= dict(model.named_modules()).keys()
    assert not left_out & names
    for name in left_out:
        with (
            pytest.raises(RuntimeError, match='overwritten|ran 2 times'),
            FeatureTap(model, [name], 'student').record(),
        ):
            model(torch.zeros(1, 3, 64, 64))


def test_frozen_stages_are_left_out_of_a_student(classifier_cfg):
    cfg = classifier_cfg()
    cfg['backbone']['frozen_stages'] = 2
    model = MODELS.build(cfg)
    names = {c.point for c in candidates(model, (64, 64), trained=True)[0]}
    assert 'backbone.layer3' in names and 'backbone.layer2' not in names
    assert 'backbone.layer2' in {
        c.point for c in candidates(model, (64, 64))[0]
    }


def test_strides(model):
    strides = {c.point: c.stride for c in candidates(model, (64, 64))[0]}
    assert strides['backbone.layer1'] == 1
    assert strides['backbone.layer4'] == 8
    assert strides['head'] is None


def test_a_tuple_offers_its_parts(classifier_cfg):
    cfg = classifier_cfg()
    cfg['backbone']['out_indices'] = (1, 3)
    points = {
        c.point: c.shape for c in candidates(MODELS.build(cfg), (64, 64))[0]
    }
    assert points['backbone[0]'] == (1, 8, 32, 32)
    assert points['backbone[1]'] == (1, 32, 8, 8)
    assert 'backbone' not in points


def test_a_head_that_needs_labels_ends_the_list(classifier_cfg):
    cfg = classifier_cfg()
    cfg['head']['in_channels'] = 5
    points, reason = candidates(MODELS.build(cfg), (64, 64))
    assert 'RuntimeError' in reason
    assert {'backbone.layer4', 'neck'} <= {c.point for c in points}


def test_classifiers_are_paired_at_the_last_stage(model, classifier_cfg):
    """As the paper does, whatever the stages are called."""
    other = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            backbone=dict(type='MobileNetV2', widen_factor=0.25),
        )
    )
    wide = MODELS.build(classifier_cfg(width=6))
    (pair,) = propose_pairs(
        candidates(model, (128, 128))[0], candidates(wide, (128, 128))[0]
    )
    assert [c.point for c in pair] == ['backbone.layer4'] * 2
    (pair,) = propose_pairs(
        candidates(model, (128, 128))[0], candidates(other, (128, 128))[0]
    )
    assert [c.point for c in pair] == [
        'backbone.layer4',
        'backbone.layer3',
    ]
    assert pair[0].shape[2:] == pair[1].shape[2:]


def test_necks_are_paired_at_each_level(classifier_cfg):
    def detector(width):
        cfg = classifier_cfg(width)
        cfg['backbone']['out_indices'] = (1, 2, 3)
        cfg['neck'] = dict(
            type='mmdet.FPN',
            in_channels=[2 * width, 4 * width, 8 * width],
            out_channels=2 * width,
            num_outs=4,
        )
        return candidates(MODELS.build(cfg), (128, 128))[0]

    pairs = propose_pairs(detector(4), detector(6))
    # The fourth output is only pooled from the third.
    assert [s.point for s, _ in pairs] == [
        f'neck.fpn_convs.{i}.conv' for i in range(3)
    ]
    assert [(s.shape[1], t.shape[1]) for s, t in pairs] == [(8, 12)] * 3
    assert [s.stride for s, _ in pairs] == [2, 4, 8]


def test_what_is_pooled_inside_of_a_backbone_is_no_stage(model):
    """PIDNet pools to /128 inside, and hands on /8."""
    pools = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            backbone=dict(type='mmseg.PIDNet', channels=8, ppm_channels=8),
        )
    )
    points = candidates(pools, (128, 128), trained=True)[0]
    assert max(c.stride or 0 for c in points) == 128
    ((student, _),) = propose_pairs(points, candidates(model, (128, 128))[0])
    assert (student.point, student.stride) == ('backbone.dfm', 8)


def test_nothing_is_proposed_where_nothing_fits():
    assert propose_pairs([], []) == []
