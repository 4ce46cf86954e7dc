"""Counts against a pencil, torch's own counter and torchvision's tables."""

import pytest
import torch
from mmcv.ops import DeformConv2d
from mmengine.registry import MODELS
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import ResNet18_Weights, resnet18

from mmmgd.points.dry_pass import dry_pass
from mmmgd.report.flops import (
    Counter,
    connector_flops,
    model_flops,
    parameters_of,
    step_shares,
    teacher_flops,
)


@pytest.mark.parametrize('device', ['cpu', 'meta'])
def test_each_kind_of_layer_by_hand(device):
    layers = {
        nn.Conv2d(3, 8, 3, stride=2, padding=1): 8 * 16 * 20 * 3 * 9,
        nn.BatchNorm2d(8): 0,
        nn.Conv2d(8, 8, 5, padding=2, groups=4): 8 * 16 * 20 * (8 // 4) * 25,
        nn.ConvTranspose2d(8, 4, 2, stride=2): 8 * 16 * 20 * 4 * 4,
        nn.Flatten(2): 0,
        nn.Linear(1280, 7, bias=False): 4 * 7 * 1280,
    }
    x = torch.zeros(2, 3, 32, 40, device=device)
    for layer, expected in layers.items():
        with Counter() as counter, torch.no_grad():
            x = layer.to(device)(x)
        assert counter.flops == 2 * expected, layer


@pytest.mark.parametrize('device', ['cpu', 'meta'])
def test_both_products_of_attention_are_counted(device):
    q, k = (torch.zeros(2, 3, n, 8, device=device) for n in (5, 7))
    v = torch.zeros(2, 3, 7, 8, device=device)
    with Counter() as counter, torch.no_grad():
        nn.functional.scaled_dot_product_attention(q, k, v)
    assert counter.flops == 2 * 3 * 5 * 7 * (8 + 8)


def test_a_deformable_convolution_counts_as_a_plain_one():
    layer = DeformConv2d(8, 16, 3, padding=1)
    offset = torch.zeros(1, 18, 10, 10)
    with Counter() as counter, torch.no_grad():
        layer(torch.zeros(1, 8, 10, 10), offset)
    assert counter.flops == 10 * 10 * 8 * 16 * 9


def test_a_known_network():
    model = resnet18()
    flops, missing = model_flops(model, (224, 224))
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
    model_flops(model, (64, 64))
    assert all(torch.equal(state[k], v) for k, v in model.state_dict().items())
    assert model.backbone.training and not model.head.training
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(m._forward_hooks for m in model.modules())


def test_what_runs_without_labels_is_counted(classifier_cfg):
    cfg = classifier_cfg()
    cfg['head']['in_channels'] = 5  # as good as a head that needs labels
    model = MODELS.build(cfg)
    whole, _ = model_flops(MODELS.build(classifier_cfg()), (64, 64))
    flops, missing = model_flops(model, (64, 64))
    head = 32 * 16 + 16 * 10
    assert (flops, missing) == (whole - head, 'part of head')


def test_of_the_teacher_only_what_runs_is_counted(classifier_cfg):
    model = MODELS.build(classifier_cfg())
    model.eval()
    trunk = model.backbone
    with Counter() as counter, torch.no_grad():
        x = trunk.norm1(trunk.conv1(torch.zeros(1, 3, 64, 64)))
        trunk.layer2(trunk.layer1(x))
    assert 0 < counter.flops < model_flops(model, (64, 64))[0]
    seen = dry_pass(model, ['backbone.layer2'], 'teacher', (64, 64))
    assert teacher_flops(model, seen) == counter.flops


@pytest.mark.parametrize('cheap', [None, True])
def test_a_connector_by_hand(cheap):
    connector = MODELS.build(
        dict(
            type='mmmgd.MGDConnector',
            mask_ratio=0.5,
            student_channels=4,
            teacher_channels=6,
            cheap=cheap,
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
