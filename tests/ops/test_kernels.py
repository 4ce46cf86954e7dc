"""Kernels that lie by position in memory are ordinary parameters."""

import copy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch import nn

from mmmgd.models import MGDConnector
from mmmgd.ops import lay_out
from mmmgd.ops.kernels import is_laid_out, positions_first

sys.path.insert(0, str(Path(__file__).parents[1]))


def _connector(seed=0, **kwargs):
    torch.manual_seed(seed)
    return MGDConnector(0.5, 'spatial', 6, 8, **{'cheap': True, **kwargs})


def _kernels(connector):
    generation = connector.generation
    return [generation[0].weight, generation[2].weight]


def _by_position(connector):
    """Whether the kernels are those that no product has to transpose."""
    kernels = _kernels(connector)
    views = {positions_first(k).data_ptr() == k.data_ptr() for k in kernels}
    assert views == {is_laid_out(k) for k in kernels}
    (view,) = views
    return view


def _stock(connector):
    """The same connector with kernels as nn.Conv2d has them."""
    other = copy.deepcopy(connector)
    lay_out(other.generation, by_position=False)
    assert not _by_position(other)
    return other


def _train(connector, optimizer, steps=3):
    """Take steps; return the optimizer."""
    optim = optimizer(connector.parameters())
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        feature = torch.randn(2, 6, 7, 9, generator=generator)
        mask = torch.randint(2, (2, 1, 7, 9), generator=generator).float()
        optim.zero_grad()
        connector(feature, mask).square().sum().backward()
        optim.step()
    return optim


OPTIMIZERS = {
    'SGD': lambda p: torch.optim.SGD(p, 1e-3, momentum=0.9),
    'AdamW': lambda p: torch.optim.AdamW(p, 1e-3),
}


def test_names_shapes_and_values_are_those_of_a_convolution():
    connector = _connector()
    torch.manual_seed(0)
    align = nn.Conv2d(6, 8, 1)
    layers = nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3)
    expected = dict(align=align, generation=nn.Sequential(*layers))
    expected = nn.ModuleDict(expected).state_dict()
    state = connector.state_dict()
    assert [k for k in state if 'mask_stream' not in k] == list(expected)
    assert all(torch.equal(state[k], v) for k, v in expected.items())
    assert _by_position(connector)


@pytest.mark.parametrize(
    'kwargs',
    [
        dict(cheap=False),
        dict(mask_token=True),
        dict(mask_before_align=True),
        dict(generator='bottleneck'),
        dict(generators=2),
    ],
    ids=str,
)
def test_kernels_that_no_sparse_product_reads_lie_as_usual(kwargs):
    connector = _connector(**kwargs)
    kernels = [p for p in connector.parameters() if p.shape[2:] == (3, 3)]
    assert all(kernel.is_contiguous() for kernel in kernels)


@pytest.mark.parametrize('optimizer', OPTIMIZERS)
def test_training_is_that_of_usual_kernels_bit_by_bit(optimizer):
    """Also where a loaded state dict has replaced the parameters."""
    ours = _connector()
    stock = _stock(ours)
    assigned = copy.deepcopy(ours)
    state = copy.deepcopy(stock.state_dict())
    assigned.load_state_dict(state, assign=True)
    assert not _by_position(assigned)
    state = _train(ours, OPTIMIZERS[optimizer]).state
    for other in (stock, assigned):
        _train(other, OPTIMIZERS[optimizer])
        for a, b in zip(ours.parameters(), other.parameters(), strict=True):
            assert torch.equal(a, b)
    for kernel in _kernels(ours):
        # Neither a gradient nor a state has to be brought to other strides.
        moments = [s for s in state[kernel].values() if s.dim()]
        assert moments
        for tensor in (kernel.grad, *moments):
            assert tensor.stride() == kernel.stride()


def test_published_weights_load_and_strides_stay():
    connector, other = _connector(), _stock(_connector(seed=1))
    connector.load_state_dict(other.state_dict())
    assert _by_position(connector)
    for a, b in zip(_kernels(connector), _kernels(other), strict=True):
        assert torch.equal(a, b)


def test_a_resumed_training_goes_on_bit_by_bit(tmp_path):
    whole = _connector()
    half = copy.deepcopy(whole)
    optimizer = OPTIMIZERS['SGD']
    _train(whole, lambda p: _replayed(whole, optimizer(p)), steps=1)
    first = _train(half, optimizer, steps=3)
    file = tmp_path / 'half.pth'
    torch.save([half.state_dict(), first.state_dict()], file)
    model, state = torch.load(file)
    resumed = _connector(seed=2)
    resumed.load_state_dict(model)
    again = optimizer(resumed.parameters())
    again.load_state_dict(state)
    _train(resumed, lambda p: again, steps=1)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    for kernel in _kernels(resumed):
        momentum = again.state[kernel]['momentum_buffer']
        assert momentum.stride() == kernel.stride()


def _replayed(connector, optimizer):
    """Take the first three steps with this optimizer."""
    return _train(connector, lambda p: optimizer, steps=3)


@pytest.mark.parametrize(
    'change',
    [
        lambda c: copy.deepcopy(c),
        lambda c: c.double().float(),
        lambda c: c.to(memory_format=torch.channels_last),
        lambda c: c.share_memory(),
    ],
    ids=['deepcopy', 'double', 'channels_last', 'shared'],
)
def test_the_layout_outlives(change):
    connector = _connector()
    before = [k.detach().clone() for k in _kernels(connector)]
    changed = change(connector)
    assert _by_position(changed)
    for a, b in zip(before, _kernels(changed), strict=True):
        assert a.shape == b.shape
        assert torch.equal(a, b)


def test_half_precision_runs_the_plain_modules():
    connector = _connector().bfloat16()
    feature = torch.randn(2, 6, 7, 9).bfloat16()
    mask = torch.ones(2, 1, 7, 9)
    out = connector(feature, mask)
    stock = _stock(connector)
    stock.cheap = False
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, stock(feature, mask))


def test_an_average_of_weights_is_that_of_usual_kernels():
    ours = _connector()
    averages = []
    for connector in (ours, _stock(ours)):
        ema = ExponentialMovingAverage(connector, momentum=0.3)
        _train(connector, OPTIMIZERS['SGD'])
        ema.update_parameters(connector)
        ema.update_parameters(connector)
        averages.append(ema)
    a, b = (list(ema.parameters()) for ema in averages)
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert _by_position(averages[0].module)


@pytest.mark.slow
def test_two_ranks_share_gradients_as_they_lie(tmp_path):
    """DDP's buckets have the parameters' strides, or it would warn."""
    from test_distributed import start_ranks

    script = 'ops/ranks_kernels.py'
    start_ranks(script, tmp_path)
    seen = [torch.load(tmp_path / f'rank{r}.pth') for r in (0, 1)]
    for rank in seen:
        assert rank['late'], 'kernels laid out after DDP should be told'
        assert not rank['early']
    connector = _connector()
    features = [torch.full((1, 6, 7, 9), float(r + 1)) for r in (0, 1)]
    mask = torch.ones(1, 1, 7, 9)
    losses = [connector(f, mask).square().sum() for f in features]
    (sum(losses) / 2).backward()
    for key, parameter in connector.named_parameters():
        for rank in seen:
            torch.testing.assert_close(rank['grads'][key], parameter.grad)
