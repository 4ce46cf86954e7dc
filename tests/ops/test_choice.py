"""Which way is chosen, by the shapes, the mask and the modules."""

import copy

import pytest
import torch
from torch import nn

from mmmgd.functional import random_mask
from mmmgd.models import MGDConnector
from mmmgd.ops import lay_out
from mmmgd.ops.choice import choose, estimate


def _way(connector, shape, visible, **kwargs):
    n, _, h, w = shape
    drawn = random_mask(
        torch.zeros(n, 1, h, w),
        1 - visible,
        'spatial',
        torch.Generator().manual_seed(1),
    )
    mask = kwargs.pop('mask', drawn)
    parts = connector.align, connector.generation
    return choose(torch.zeros(shape), mask, *parts, kwargs.get('cheap'))


def test_the_cheapest_way_is_chosen_by_shape_and_mask():
    fpn = MGDConnector(0.65, 'spatial', 256, 256)
    assert _way(fpn, (1, 256, 100, 128), 0.35) == 'rows'
    assert _way(fpn, (1, 256, 7, 8), 0.35) == 'rows'
    lay_out(fpn.generation, by_position=False)
    assert _way(fpn, (1, 256, 100, 128), 0.35) == 'rows'
    assert _way(fpn, (1, 256, 7, 8), 0.35) == 'plain'
    assert _way(fpn, (1, 256, 7, 8), 0.35, cheap=True) == 'rows'
    assert _way(fpn, (1, 256, 100, 128), 0.35, cheap=False) == 'plain'
    # align in the kernel pays with more rows than the student has channels
    small = estimate((2, 512, 32, 32), 512, 2048)
    large = estimate((2, 512, 64, 64), 2048, 2048)
    assert min(small, key=small.get) == 'rows'
    assert min(large, key=large.get) == 'composed'


@pytest.mark.parametrize('cheap', [True, None])
def test_what_is_not_the_plain_sum_runs_as_it_is(cheap):
    connector = MGDConnector(0.65, 'spatial', 256, 256, cheap=cheap)
    shape = (1, 256, 60, 60)
    assert _way(connector, shape, 0.35, cheap=cheap) == 'rows'
    soft = torch.full((1, 1, 60, 60), 0.5)
    assert _way(connector, shape, 0.35, cheap=cheap, mask=soft) == 'plain'
    channel = torch.ones(1, 256, 1, 1)
    assert _way(connector, shape, 0.35, cheap=cheap, mask=channel) == 'plain'
    hooked = copy.deepcopy(connector)
    hooked.generation[0].register_forward_pre_hook(lambda *_: None)
    assert _way(hooked, shape, 0.35, cheap=cheap) == 'plain'
    other = copy.deepcopy(connector)
    other.generation[2] = nn.Conv2d(256, 256, 3, padding=2, dilation=2)
    assert _way(other, shape, 0.35, cheap=cheap) == 'plain'
    half = copy.deepcopy(connector).bfloat16()
    assert _way(half, shape, 0.35, cheap=cheap) == 'plain'
