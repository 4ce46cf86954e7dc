"""The cheap ways to compute against the plain modules, in numbers."""

import copy
import random

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from mmmgd.functional import mgd_loss, random_mask
from mmmgd.models import MGDConnector
from mmmgd.ops import choice, products, visible_conv, winograd
from mmmgd.ops.masked_generator import generate

DEVICES = [
    'cpu',
    pytest.param(
        'cuda',
        marks=pytest.mark.skipif(
            not torch.cuda.is_available(), reason='needs CUDA'
        ),
    ),
]
# N, C_s, C_t, H, W, what is visible, memory
CASES = [
    (2, 16, 64, 9, 12, 0.25, torch.contiguous_format),
    (1, 64, 64, 7, 5, 0.35, torch.channels_last),
    (3, 32, 32, 1, 1, 0.5, torch.contiguous_format),
    (2, 24, 32, 8, 6, 'none', torch.contiguous_format),
    (2, 32, 32, 5, 4, 'all', torch.channels_last),
    (2, 8, 32, 6, 7, 'one', torch.contiguous_format),
    (1, 32, 32, 70, 66, 0.35, 'sliced'),
    (1, 128, 256, 16, 15, 0.35, torch.contiguous_format),
]
WAYS = ['plain', 'rows', 'composed']
SECOND = {'winograd': 0, 'shifted': 10**9, 'onednn': 0}


@pytest.fixture(params=SECOND)
def second(request, monkeypatch):
    """Each way to compute the second convolution, whatever the map.

    Large products are oneDNN's; here small ones, too.
    """
    monkeypatch.setattr(choice, 'FEW', SECOND[request.param])
    if request.param == 'onednn':
        monkeypatch.setattr(products, 'LARGE', 1)
    return request.param


def _mask(n, h, w, visible):
    if isinstance(visible, float):
        return random_mask(
            torch.zeros(n, 1, h, w),
            1 - visible,
            'spatial',
            torch.Generator().manual_seed(1),
        )
    mask = torch.full((n, 1, h, w), float(visible == 'all'))
    mask[-1, 0, -1, 0] = float(visible != 'none')
    return mask


def _make(case, device='cpu', seed=0):
    """A connector, a feature, a mask and a target, in float64."""
    n, cs, ct, h, w, visible, memory = case
    torch.manual_seed(seed)
    connector = MGDConnector(0.5, 'spatial', cs, ct).double()
    if memory == 'sliced':
        feature = torch.randn(n, cs, h, 2 * w).double()[..., ::2]
    else:
        feature = torch.randn(n, cs, h, w).double()
        feature = feature.to(memory_format=memory)
    target = torch.randn(n, ct, h, w).double()
    mask = _mask(n, h, w, visible)
    return (
        connector.to(device),
        *(x.to(device) for x in (feature, mask, target)),
    )


def _numbers(made, way, dtype):
    """Loss and all gradients, as float64."""
    connector, feature, mask, target = made
    connector = copy.deepcopy(connector).to(dtype)
    feature = feature.to(dtype).detach().requires_grad_()
    mask = mask.to(dtype)
    if way == 'plain':
        connector.cheap = False
        out = connector(feature, mask)
    else:
        parts = connector.align, connector.generation
        out = generate(feature, mask, *parts, way == 'composed')
    assert out.dtype == dtype
    loss = mgd_loss(out, target.to(dtype))
    loss.backward()
    grads = {k: p.grad.double() for k, p in connector.named_parameters()}
    return {
        'loss': loss.detach().double(),
        'feature': feature.grad.double(),
        **grads,
    }


def _error(numbers, reference):
    return {
        k: ((numbers[k] - r).norm() / r.norm().clamp_min(1e-30)).item()
        for k, r in reference.items()
    }


def _bound(case):
    """The relative error of float32, whatever the processor and its threads.

    Rounding to nearest moves a number by at most u = eps / 2. A sum of K
    products of independent signs grows as the square root of their number, so
    that the K roundings of its partial sums, in the worst order (one after
    the other), add up to u * sqrt(K / 2) of the result. A gradient lies
    behind four such sums: two convolutions forward, two backward. Independent
    errors add in squares: u * sqrt(4 * K / 2) = eps * sqrt(K / 2).

    The longest sums run over a kernel (9 * C_t) or all positions (N * H * W).
    """
    n, _, ct, h, w, *_ = case
    return torch.finfo(torch.float32).eps * (max(9 * ct, n * h * w) / 2) ** 0.5


def _draws(case, device='cpu', count=3):
    """Yield what rounding cannot throw over.

    Where the first convolution is zero up to rounding, rounding decides
    whether ReLU passes the gradient on. Such draws say nothing about sums.
    """
    seed = 0
    while count:
        made = _make(case, device, seed)
        connector, feature, mask, _ = made
        if connector.align is not None:
            feature = connector.align(feature)
        hidden = connector.generation[0](feature * mask)
        scale = hidden.square().mean().sqrt()
        if hidden.abs().min() > 4 * _bound(case) * scale:
            count -= 1
            yield made
        seed += 1


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('way', WAYS[1:])
@pytest.mark.parametrize('case', CASES, ids=str)
def test_loss_and_gradients_are_those_of_the_plain_modules(
    case, way, device, second
):
    for made in _draws(case, device):
        reference = _numbers(made, 'plain', torch.float64)
        exact = _error(_numbers(made, way, torch.float64), reference)
        assert max(exact.values()) < 1e-9
        short = _error(_numbers(made, way, torch.float32), reference)
        for key, error in short.items():
            assert error <= _bound(case), key


def _tf32(x):
    """Rounded to the 11 bits that tensor cores multiply by default."""
    mantissa, exponent = torch.frexp(x)
    return torch.ldexp((mantissa * 2**11).round() / 2**11, exponent)


def _one_twice(indices):
    """One of the nine neighbours is read in place of another."""
    indices[8::9] = indices[0::9]
    return indices


MUTATIONS = {
    'coefficient': (winograd, 'FILTER', lambda f: ((1.0001, 0, 0), *f[1:])),
    'tf32': (
        visible_conv,
        'multiply',
        lambda f: lambda a, b, out: f(_tf32(a), _tf32(b), out),
    ),
    'neighbour': (
        visible_conv,
        '_reached',
        lambda f: lambda *args: _one_twice(f(*args)),
    ),
}


@pytest.mark.parametrize('mutation', MUTATIONS)
@pytest.mark.parametrize('case', [CASES[0], CASES[-2], CASES[-1]], ids=str)
def test_the_bound_catches_a_wrong_formula(case, mutation, monkeypatch):
    """By a factor of five at least, where the bound is the widest too."""
    monkeypatch.setattr(choice, 'FEW', 0)
    (made,) = _draws(case, count=1)
    reference = _numbers(made, 'plain', torch.float64)
    module, name, change = MUTATIONS[mutation]
    monkeypatch.setattr(module, name, change(getattr(module, name)))
    error = _error(_numbers(made, 'rows', torch.float32), reference)
    assert max(error.values()) > 5 * _bound(case)


@pytest.mark.parametrize('seed', range(20))
def test_random_shapes_masks_and_strides(seed, second):
    draw = random.Random(seed)
    channels = draw.choice([1, 3, 16, 40])
    case = (
        draw.randint(1, 3),
        channels,
        draw.choice([channels, 2, 33]),
        draw.randint(1, 12),
        draw.randint(1, 12),
        draw.choice(['none', 'all', 'one', 0.1, 0.25, 0.5, 0.9]),
        draw.choice([torch.contiguous_format, torch.channels_last, 'sliced']),
    )
    made = _make(case, seed=seed)
    reference = _numbers(made, 'plain', torch.float64)
    for way in WAYS[1:]:
        error = _error(_numbers(made, way, torch.float64), reference)
        assert max(error.values()) < 1e-9, (case, way)


def test_results_repeat_bit_by_bit():
    made = _make(CASES[0])
    first = _numbers(made, 'rows', torch.float32)
    for key, value in _numbers(made, 'rows', torch.float32).items():
        assert torch.equal(value, first[key])


def test_the_connector_takes_the_cheap_way_and_draws_the_same_masks():
    torch.manual_seed(0)
    cheap = MGDConnector(0.75, 'spatial', 8, 16, cheap=True)
    plain = copy.deepcopy(cheap)
    plain.cheap = False
    assert list(cheap.state_dict()) == list(plain.state_dict())
    feature = torch.randn(2, 8, 10, 10)
    for _ in range(2):
        a, b = cheap(feature), plain(feature)
        assert 'VisibleConv' in str(_graph(a))
        assert 'VisibleConv' not in str(_graph(b))
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def _graph(x):
    """Names of the functions behind a tensor."""
    names, todo = set(), [x.grad_fn]
    while todo:
        node = todo.pop()
        names.add(type(node).__name__)
        todo += [parent for parent, _ in node.next_functions if parent]
    return names


def test_a_second_derivative_is_refused(second):
    connector = MGDConnector(0.5, 'spatial', 4, 4, cheap=True)
    feature = torch.randn(1, 4, 6, 6, requires_grad=True)
    loss = connector(feature).square().sum()
    (grad,) = torch.autograd.grad(loss, feature, create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        grad.sum().backward()


def test_without_bfloat16_an_autocast_computes_in_float32(monkeypatch):
    monkeypatch.setattr(choice, 'has_bfloat16', lambda: False)
    connector, feature, mask, _ = _make(CASES[0])
    connector.float().cheap = True
    feature, mask = feature.float().requires_grad_(), mask.float()
    out = connector(feature, mask)
    with torch.autocast('cpu', torch.bfloat16):
        under = connector(feature, mask)
        short = connector(feature.bfloat16(), mask)
    assert torch.equal(under, out)
    assert short.dtype == torch.float32 and not torch.equal(short, out)
    parameters = [feature, *connector.parameters()]
    expected = torch.autograd.grad(out.square().sum(), parameters)
    gradients = torch.autograd.grad(under.square().sum(), parameters)
    for a, b in zip(gradients, expected, strict=True):
        assert torch.equal(a, b)


def test_ddp_sees_ordinary_parameters(tmp_path):
    made = _make(CASES[0])
    connector, feature, mask, target = made
    expected = _numbers(made, 'rows', torch.float64)
    connector.cheap = True
    dist.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/x', rank=0, world_size=1
    )
    try:
        out = DistributedDataParallel(connector)(feature, mask)
        mgd_loss(out, target).backward()
    finally:
        dist.destroy_process_group()
    for key, parameter in connector.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[key])
