"""Products in bfloat16 under autocast, against those of the plain modules."""

import copy

import pytest
import torch
from torch import nn

from mmmgd.functional import mgd_loss
from mmmgd.models import MGDConnector
from mmmgd.ops import choice, masked_generator

# N, C_s, C_t, H, W, share that is visible
CASES = [
    (2, 16, 64, 9, 12, 0.25),
    (1, 64, 64, 7, 5, 0.35),
    (1, 64, 256, 16, 15, 0.35),
    (2, 128, 128, 12, 13, 0.35),
]
DRAWS = 6


@pytest.fixture(autouse=True)
def _has_bfloat16(monkeypatch):
    """Compute in it here, even where it is emulated."""
    monkeypatch.setattr(choice, 'has_bfloat16', lambda: True)


def _make(case, seed):
    n, cs, ct, h, w, visible = case
    torch.manual_seed(seed)
    connector = MGDConnector(0.5, 'spatial', cs, ct)
    mask = torch.rand(n, 1, h, w).lt(visible).float()
    return connector, torch.randn(n, cs, h, w), mask, torch.randn(n, ct, h, w)


def _numbers(made, way):
    """Output and all gradients as float64; of 'exact', computed in it."""
    connector, feature, mask, target = copy.deepcopy(made)
    if way == 'exact':
        connector, feature = connector.double(), feature.double()
    connector.cheap = False
    feature.requires_grad_()
    with torch.autocast('cpu', torch.bfloat16, enabled=way != 'exact'):
        if way in ('exact', 'plain'):
            out = connector(feature, mask)
        else:
            parts = connector.align, connector.generation
            out = masked_generator.generate(
                feature, mask, *parts, way == 'composed'
            )
            assert out.dtype == torch.float32
    mgd_loss(out, target).backward()
    grads = {k: p.grad for k, p in connector.named_parameters()}
    assert all(p.grad.dtype == p.dtype for p in connector.parameters())
    numbers = dict(grads, output=out.detach(), feature=feature.grad)
    return {k: v.double() for k, v in numbers.items()}


def _errors(case, way, few, monkeypatch):
    """Root mean square of the relative errors over draws."""
    monkeypatch.setattr(choice, 'FEW', few)
    squares = {}
    for seed in range(DRAWS):
        made = _make(case, seed)
        exact = _numbers(made, 'exact')
        for key, value in _numbers(made, way).items():
            error = (value - exact[key]).norm() / exact[key].norm()
            squares.setdefault(key, []).append(error.square())
    return {k: torch.stack(v).mean().sqrt().item() for k, v in squares.items()}


@pytest.mark.parametrize('few', [0, 10**9], ids=['winograd', 'shifted'])
@pytest.mark.parametrize('case', CASES, ids=str)
def test_errors_are_at_most_twice_those_of_plain_bfloat16(
    case, few, monkeypatch
):
    plain = _errors(case, 'plain', few, monkeypatch)
    for way in ('rows', 'composed')[: 1 + (case[1] != case[2])]:
        for key, error in _errors(case, way, few, monkeypatch).items():
            assert error <= 2 * plain[key], (way, key)
            # it has multiplied in bfloat16, with 8 bits
            assert error > 1e-4, (way, key)


def test_the_connector_takes_it_under_autocast_and_returns_float32():
    connector, feature, mask, _ = _make(CASES[0], 0)
    connector.cheap = True
    exact = connector(feature, mask)
    with torch.autocast('cpu', torch.bfloat16):
        for given in (feature, feature.bfloat16()):
            short = connector(given, mask)
            assert short.dtype == torch.float32
            assert not torch.equal(short, exact)
            torch.testing.assert_close(short, exact, rtol=0.1, atol=0.02)
    with torch.autocast('cpu', torch.float16):
        assert torch.equal(connector(feature, mask), exact)


def test_a_step_under_autocast_lowers_the_loss():
    """With the master weights, gradients and sums in float32."""
    connector, feature, mask, target = _make(CASES[1], 0)
    connector.cheap = True
    optimizer = torch.optim.SGD(connector.parameters(), 1e-5, momentum=0.9)
    losses = []
    for _ in range(20):
        with torch.autocast('cpu', torch.bfloat16):
            loss = mgd_loss(connector(feature, mask), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]
    assert isinstance(connector.generation[0].weight, nn.Parameter)
    assert connector.generation[0].weight.grad.dtype == torch.float32
