"""MobileNetV1 against numbers counted by hand from table 1 of its paper."""

import math

import pytest
import torch
from torch import nn

from mmmgd.models.backbones import MobileNetV1
from mmmgd.registry import MODELS

# (output channels, stride) of the 13 blocks: table 1 of arXiv 1704.04861.
BLOCKS = [
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
]


@pytest.fixture(scope='module')
def backbone():
    torch.manual_seed(0)
    model = MODELS.build(dict(type='mmmgd.MobileNetV1'))
    model.init_weights()
    return model


def count(module):
    return sum(p.numel() for p in module.parameters())


def convs(module):
    return [m for m in module.modules() if isinstance(m, nn.Conv2d)]


def test_published_parameter_count(backbone):
    head = nn.Linear(1024, 1000)
    assert count(backbone) + count(head) == 4_231_976


def test_parameters_by_hand(backbone):
    # convolution weights plus two numbers a channel for every BN
    expected = 3 * 32 * 9 + 2 * 32
    width = 32
    for out, _ in BLOCKS:
        expected += 9 * width + 2 * width  # depthwise
        expected += width * out + 2 * out  # pointwise
        width = out
    assert count(backbone) == expected == 3_206_976


def test_blocks_follow_the_paper(backbone):
    stem, *rest = convs(backbone)
    assert (stem.in_channels, stem.out_channels) == (3, 32)
    assert stem.stride == (2, 2)
    depthwise, pointwise = rest[::2], rest[1::2]
    assert len(depthwise) == len(pointwise) == 13
    width = 32
    for dw, pw, (out, stride) in zip(
        depthwise, pointwise, BLOCKS, strict=True
    ):
        assert (dw.groups, dw.out_channels) == (width, width)
        assert (dw.kernel_size, dw.stride) == ((3, 3), (stride, stride))
        assert (pw.groups, pw.in_channels, pw.out_channels) == (1, width, out)
        assert (pw.kernel_size, pw.stride) == ((1, 1), (1, 1))
        width = out


def test_maps_of_all_stages(backbone):
    seen = {}
    names = ['stem', *[f'stage{i}' for i in range(1, 6)]]
    hooks = [
        backbone.get_submodule(name).register_forward_hook(
            lambda _, __, out, name=name: seen.update({name: out.shape[1:]})
        )
        for name in names
    ]
    (out,) = backbone(torch.randn(2, 3, 64, 96))
    for hook in hooks:
        hook.remove()
    assert out.shape == (2, 1024, 2, 3)
    assert seen == {
        'stem': (32, 32, 48),
        'stage1': (64, 32, 48),
        'stage2': (128, 16, 24),
        'stage3': (256, 8, 12),
        'stage4': (512, 4, 6),
        'stage5': (1024, 2, 3),
    }
    assert len(backbone.stage5) == 2
    assert out.min() >= 0  # ends in ReLU


def test_kaiming_init_of_the_authors(backbone):
    for conv in convs(backbone):
        assert conv.bias is None
        std = math.sqrt(2 / (conv.out_channels * conv.kernel_size[0] ** 2))
        # sd of a sample sd is 1/sqrt(2n): five of them
        slack = 5 / math.sqrt(2 * conv.weight.numel())
        assert conv.weight.std().item() == pytest.approx(std, rel=slack)
        assert abs(conv.weight.mean().item()) < std * 2 * slack
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.eq(1).all()
            assert module.bias.eq(0).all()


def test_init_cfg_and_image_channels():
    backbone = MobileNetV1(
        in_channels=1,
        init_cfg=dict(type='Constant', val=0.5, layer='Conv2d'),
    )
    backbone.init_weights()
    assert backbone.stem[0].weight.shape == (32, 1, 3, 3)
    assert backbone.stage5[1][1][0].weight.eq(0.5).all()


def test_gradient_reaches_the_stem(backbone):
    (out,) = backbone(torch.randn(2, 3, 64, 64))
    out.sum().backward()
    assert backbone.stem[0].weight.grad.abs().sum() > 0
    backbone.zero_grad()
