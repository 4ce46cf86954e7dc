"""Counts against a pencil, torch's own counter and torchvision's tables."""

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import ResNet18_Weights, resnet18

from mmmgd.report.flops import (
    connector_flops,
    counting,
    model_flops,
    parameters_of,
    step_shares,
    teacher_flops,
)


def test_each_kind_of_layer_by_hand():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),  # (8, 16, 20)
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 5, padding=2, groups=4),
        nn.ConvTranspose2d(8, 4, 2, stride=2),  # (4, 32, 40)
        nn.Flatten(2),
        nn.Linear(1280, 7, bias=False),
        nn.Embedding(10, 3),
    )
    with counting(model) as counts, torch.no_grad():
        model[:-1](torch.zeros(2, 3, 32, 40))
    assert counts == {
        '0': 2 * 8 * 16 * 20 * 3 * 9,
        '2': 2 * 8 * 16 * 20 * (8 // 4) * 25,
        '3': 2 * 8 * 16 * 20 * 4 * 4,
        '5': 2 * 4 * 7 * 1280,
    }


def test_a_known_network():
    model = resnet18()
    flops, missing = model_flops(model, 224)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(torch.zeros(1, 3, 224, 224))
    assert flops == counter.get_total_flops() / 2  # it counts both
    published = ResNet18_Weights.IMAGENET1K_V1.meta
    assert round(flops / 1e9, 3) == published['_ops']
    assert parameters_of(model) == published['num_params']
    assert missing == ''


def test_counting_changes_nothing(classifier_cfg):
    model = MODELS.build(classifier_cfg())
    model.train()
    model.head.eval()
    state = {k: v.clone() for k, v in model.state_dict().items()}
    random = torch.get_rng_state()
    model_flops(model, 64)
    assert all(torch.equal(state[k], v) for k, v in model.state_dict().items())
    assert model.backbone.training and not model.head.training
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(m._forward_hooks for m in model.modules())


def test_what_runs_without_labels_is_counted(classifier_cfg):
    cfg = classifier_cfg()
    cfg['head']['in_channels'] = 5  # as good as a head that needs labels
    model = MODELS.build(cfg)
    whole, _ = model_flops(MODELS.build(classifier_cfg()), 64)
    flops, missing = model_flops(model, 64)
    head = 32 * 16 + 16 * 10
    assert (flops, missing) == (whole - head, 'part of head')


def test_of_the_teacher_only_what_runs_is_counted(classifier_cfg):
    model = MODELS.build(classifier_cfg())
    with counting(model) as counts, torch.no_grad():
        model.eval()(torch.zeros(1, 3, 64, 64))
    late = ('backbone.layer3', 'backbone.layer4', 'head')
    expected = sum(n for k, n in counts.items() if not k.startswith(late))
    assert 0 < expected < counts.total()
    assert teacher_flops(model, ['backbone.layer2'], 64) == expected


def test_a_connector_by_hand():
    connector = MODELS.build(
        dict(
            type='mmmgd.MGDConnector',
            mask_ratio=0.5,
            student_channels=4,
            teacher_channels=6,
        )
    )
    positions = 5 * 7
    expected = positions * (4 * 6 + 2 * 9 * 6 * 6)
    assert connector_flops(connector, (1, 4, 5, 7)) == expected
    assert connector.mask_stream.draws == 0
    assert all(p.device.type == 'cpu' for p in connector.parameters())


def test_shares_of_a_step():
    # 3 x 10 forward and backward, 1 x 50 forward, 3 x 40
    assert step_shares(10, 50, 40) == pytest.approx([0.15, 0.25, 0.6])
