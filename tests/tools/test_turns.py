"""Steps of two trainings take turns."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools' / 'benchmark'))

import pytest
import torch
import turns
from mmengine.runner import EpochBasedTrainLoop


@pytest.fixture(autouse=True)
def threads():
    """Give the tests that follow as many threads as before."""
    count = torch.get_num_threads()
    yield
    torch.set_num_threads(count)


def test_as_many_steps_of_each_are_timed_in_turn(
    runner_cfg, classifier_cfg, tmp_path, monkeypatch
):
    monkeypatch.setattr(turns, 'WARM_UP', 1)
    order = []
    step = EpochBasedTrainLoop.run_iter

    def noted(loop, *args):
        order.append(Path(loop.runner.work_dir).name)
        step(loop, *args)

    monkeypatch.setattr(EpochBasedTrainLoop, 'run_iter', noted)
    cfgs = [runner_cfg(classifier_cfg()) for _ in 'ab']
    a, b = turns.take_turns(*cfgs, tmp_path, 4)
    assert order == ['a', 'b'] * 5
    assert len(a) == len(b) == 4
    assert min(a + b) > 0
