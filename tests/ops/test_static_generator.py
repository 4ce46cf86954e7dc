"""A known number of visible positions: the same numbers, no waiting."""

import copy
import sys
from pathlib import Path

import pytest
import torch

from mmmgd.functional import fixed_mask, mgd_loss, random_mask
from mmmgd.functional.masks import visible_count
from mmmgd.models import MGDConnector
from mmmgd.ops import static_generator
from mmmgd.ops.static_generator import static_generate

sys.path.insert(0, str(Path(__file__).parents[1] / 'models'))

from test_no_sync import CountWaits

# N, C_s, C_t, H, W, mask ratio
CASES = [
    (2, 4, 16, 9, 12, 0.75),
    (1, 16, 16, 7, 5, 0.65),
    (3, 8, 8, 1, 1, 0.5),
    (2, 8, 8, 4, 6, 0.0),
    (2, 3, 8, 6, 7, 0.99),
]


def _make(case):
    n, cs, ct, h, w, ratio = case
    torch.manual_seed(0)
    connector = MGDConnector(ratio, 'spatial', cs, ct, mask='fixed')
    feature = torch.randn(n, cs, h, w).double()
    target = torch.randn(n, ct, h, w).double()
    return connector.double(), feature, target


def _numbers(connector, feature, mask, target):
    connector = copy.deepcopy(connector)
    feature = feature.clone().requires_grad_()
    loss = mgd_loss(connector(feature, mask), target)
    loss.backward()
    return [loss.detach(), feature.grad] + [
        p.grad for p in connector.parameters()
    ]


@pytest.mark.parametrize('case', CASES, ids=str)
def test_it_is_the_plain_sum(case, monkeypatch):
    connector, feature, target = _make(case)
    mask = connector.draw_mask(feature)
    assert visible_count(mask) == int(mask[0].sum())
    connector.cheap = False
    expected = _numbers(connector, feature, mask, target)
    connector.cheap = True
    monkeypatch.setattr(
        static_generator, '_wants_static', lambda feature: True
    )
    with CountWaits() as mode:
        numbers = _numbers(connector, feature, mask, target)
    assert not mode.counts
    for a, b in zip(numbers, expected, strict=True):
        assert (a - b).norm() <= 1e-9 * b.norm()


def test_a_mask_of_another_kind_is_not_taken_for_it(monkeypatch):
    """Its number of ones is not known, and may differ between images."""
    monkeypatch.setattr(
        static_generator, '_wants_static', lambda feature: True
    )
    connector, feature, _ = _make(CASES[0])
    connector.cheap = True
    mask = random_mask(feature, 0.75, 'spatial')
    assert visible_count(mask) is None
    out = connector(feature, mask)
    connector.cheap = False
    torch.testing.assert_close(out, connector(feature, mask))
    hooked = copy.deepcopy(connector)
    hooked.cheap = True
    hooked.generation[0].register_forward_hook(lambda *_: calls.append(1))
    calls = []
    hooked(feature, fixed_mask(feature, 0.75, 'spatial'))
    assert calls


def test_some_channels_are_those_of_all():
    connector, feature, _ = _make(CASES[0])
    mask = connector.draw_mask(feature)
    parts = visible_count(mask), connector.align, connector.generation
    channels = torch.tensor([3, 0, 7])
    some = static_generate(feature, mask, *parts, channels)
    every = static_generate(feature, mask, *parts)
    torch.testing.assert_close(some, every[:, channels])


def test_torch_compile_takes_it_whole():
    connector, feature, _ = _make(CASES[0])
    parts = connector.align, connector.generation

    def run(feature, mask):
        visible = 27  # of 108
        return static_generate(feature, mask, visible, *parts).square().sum()

    compiled = torch.compile(run, backend='aot_eager', fullgraph=True)
    for _ in range(3):  # another mask is no other graph
        mask = connector.draw_mask(feature)
        assert visible_count(mask) == 27
        inputs = [feature.clone().requires_grad_() for _ in range(2)]
        with torch._dynamo.config.patch(error_on_recompile=True):
            a, b = compiled(inputs[0], mask), run(inputs[1], mask)
        torch.testing.assert_close(a, b)
        for loss in (a, b):
            loss.backward()
        torch.testing.assert_close(inputs[0].grad, inputs[1].grad)


def test_under_autocast_sums_are_float32():
    connector, feature, _ = _make(CASES[0])
    connector, feature = connector.float(), feature.float()
    mask = connector.draw_mask(feature)
    parts = visible_count(mask), connector.align, connector.generation
    exact = static_generate(feature, mask, *parts)
    with torch.autocast('cpu', torch.bfloat16):
        short = static_generate(feature, mask, *parts)
    assert short.dtype == torch.bfloat16
    assert (short - exact).norm() < 0.02 * exact.norm()
