"""Two processes with half the batch each are one with the whole."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmpretrain')
HERE = Path(__file__).parent


def free_port() -> str:
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return str(s.getsockname()[1])


def start_ranks(script, *argv, world=2):
    """Run a script in several processes and wait; never for ever."""
    env = {
        **os.environ,
        'WORLD_SIZE': str(world),
        'MASTER_ADDR': '127.0.0.1',
        'MASTER_PORT': free_port(),
        'OMP_NUM_THREADS': '1',
    }
    command = [sys.executable, str(HERE / script), *map(str, argv)]
    ranks = [
        subprocess.Popen(
            command,
            env={**env, 'RANK': str(rank), 'LOCAL_RANK': str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(world)
    ]
    try:
        for process in ranks:
            output, _ = process.communicate(timeout=240)
            assert process.returncode == 0, output[-3000:]
    finally:
        for process in ranks:
            process.kill()


@pytest.fixture(scope='module')
def seen(tmp_path_factory):
    """What each of two ranks saw: see tests/ranks.py."""
    folder = tmp_path_factory.mktemp('ranks')
    start_ranks('ranks.py', folder)
    return [torch.load(folder / f'rank{r}.pth') for r in (0, 1)]


@pytest.fixture(scope='module')
def ranks():
    sys.path.insert(0, str(HERE))
    import ranks

    yield ranks
    sys.path.remove(str(HERE))


def _assert_close(actual, expected):
    assert actual.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(
            actual[key],
            value,
            rtol=1e-5,
            atol=1e-5 * float(value.abs().max()),
            msg=key,
        )


def test_gradients_are_those_of_the_whole_batch(seen, ranks):
    model = ranks.without_chance()
    ranks.loss_of(model, ranks.whole_batch()).backward()
    expected = {k: p.grad for k, p in model.named_parameters()}
    assert max(g.abs().max() for g in expected.values()) > 0.01
    for rank in seen:
        _assert_close(rank['gradients'], expected)


def test_accumulated_gradients_are_those_of_the_whole_batch(seen, ranks):
    model = ranks.without_chance()
    batch = ranks.whole_batch()
    ranks.accumulate(model, [ranks.part_of(batch, i, 2) for i in (0, 1)])
    expected = model.state_dict()
    start = ranks.without_chance().state_dict()
    assert any(not torch.equal(start[k], v) for k, v in expected.items())
    for rank in seen:
        _assert_close(rank['accumulated'], expected)


def test_parameters_are_equal_after_twenty_steps(seen):
    """Half of them after the loss has ended, with connectors in DDP."""
    one, two = (rank['twenty_steps']['parameters'] for rank in seen)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[k], two[k]) for k in one)
    # The teacher takes no part: student and connector are all there is.
    assert {k.split('.')[0] for k in one} == {'student', 'terms'}


def test_each_rank_draws_its_own_masks(seen):
    one, two = (rank['twenty_steps']['masks'] for rank in seen)
    assert len(one) == len(two) == 10
    assert not torch.equal(one, two)
    assert 0.05 < one.float().mean() < 0.3  # 0.15 of the channels


def test_a_measured_weight_is_the_same_on_all_ranks(seen):
    """Of the mean of their losses, in each step; frozen after six."""
    one, two = (rank['measured'] for rank in seen)
    assert [s[1:] for s in one] == [s[1:] for s in two]
    assert all(a[0] != b[0] for a, b in zip(one, two, strict=True))
    assert one[0][1] == pytest.approx((one[0][0] + two[0][0]) / 2)
    assert len({s[1:] for s in one[:6]}) == 6
    assert one[5][1:] == one[6][1:] == one[7][1:]


def test_three_steps_of_every_task(tmp_path):
    """Two ranks, different images; no parameter may be without gradient."""
    pytest.importorskip('mmdet')
    pytest.importorskip('mmseg')
    start_ranks('ranks_tasks.py', tmp_path)
    one, two = (torch.load(tmp_path / f'rank{r}.pth') for r in (0, 1))
    assert len(one) == 4
    for task, parameters in one.items():
        for name, value in parameters.items():
            assert value.isfinite().all(), (task, name)
            assert torch.equal(value, two[task][name]), (task, name)
