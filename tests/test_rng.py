import random

import numpy as np
import pytest
import torch

from mmmgd.rng import MaskStream, isolated_rng, mix


def _draw():
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_isolated_rng_leaves_the_global_streams_alone():
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    expected = _draw()
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    seed = torch.initial_seed()
    with isolated_rng(1, 2):
        inside = _draw()
    assert _draw() == expected != inside
    assert torch.initial_seed() == seed


def test_isolated_rng_repeats_itself_and_restores_after_an_error():
    with isolated_rng(7):
        first = _draw()
    state = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), isolated_rng(7):  # noqa: PT012
        assert _draw() == first
        raise ZeroDivisionError
    assert torch.equal(torch.get_rng_state(), state)


def test_mix_depends_on_each_integer():
    seeds = {mix(a, b, c) for a in range(4) for b in range(4) for c in (0, 9)}
    assert len(seeds) == 32
    assert all(0 <= s < 2**63 for s in seeds)


def _numbers(stream, n):
    cpu = torch.device('cpu')
    return [
        torch.rand(3, generator=stream.next(cpu)).tolist() for _ in range(n)
    ]


def test_a_stream_resumes_where_it_ended():
    stream = MaskStream(11)
    _numbers(stream, 5)
    state = stream.state_dict()
    expected = _numbers(stream, 3)
    other = MaskStream(12)
    other.load_state_dict(state)
    assert _numbers(other, 3) == expected


def test_each_rank_draws_its_own_numbers(monkeypatch):
    first = _numbers(MaskStream(11), 2)
    monkeypatch.setattr('mmmgd.rng.get_rank', lambda: 1)
    second = _numbers(MaskStream(11), 2)
    assert not set(map(tuple, first)) & set(map(tuple, second))
