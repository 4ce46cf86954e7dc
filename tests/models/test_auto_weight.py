"""``loss_weight='auto'``: the rule, its limits, and what a file keeps."""

import math

import pytest
import torch

from mmmgd.models.auto_weight import AutoWeight, auto_weight


def _t(value):
    return torch.tensor(float(value))


def test_the_weight_brings_the_loss_to_the_target_from_the_first_step_on():
    auto = AutoWeight('loss_mgd', target_ratio=0.5, steps=4)
    auto.measure(_t(2), _t(10), positions=1)
    assert auto.weight() * 10 / 2 == pytest.approx(0.5)
    assert not auto.frozen


def test_it_forgets_the_first_steps_and_freezes():
    auto = AutoWeight('loss_mgd', target_ratio=1.0, steps=8)
    auto.measure(_t(1), _t(1000))
    assert auto.averages == (1.0, 1000.0)
    auto.measure(_t(1), _t(10))
    # The newest of n steps counts 4 / (n + 3).
    assert auto.averages == pytest.approx((1.0, 10 * 4 / 5 + 1000 / 5))
    for _ in range(6):
        auto.measure(_t(2), _t(10))
    assert auto.frozen and auto.seen == 8
    assert auto.averages[1] == pytest.approx(10, rel=0.35)
    before = auto.weight()
    auto.measure(_t(100), _t(1))
    assert auto.weight() == before


def test_half_the_crop_leaves_the_ratio_of_a_sum_over_positions():
    auto = AutoWeight('loss_mgd', target_ratio=2.0, steps=1)
    auto.measure(_t(3), _t(5 * 64), positions=64)
    assert auto.frozen
    for positions in (64, 16, 256):
        loss = 5 * positions
        assert auto.weight(positions) * loss / 3 == pytest.approx(2.0)


def test_a_file_keeps_it_bit_by_bit():
    one = AutoWeight('loss_mgd', steps=20)
    for i in range(7):
        one.measure(_t(1 + i / 3), _t(7 - i / 7), positions=9)
    two = AutoWeight('loss_mgd', steps=20)
    two.load_state_dict(one.state_dict())
    for i in range(15):
        for auto in (one, two):
            auto.measure(_t(1 + i / 3), _t(7 - i / 7), positions=9)
        assert one.averages == two.averages
        assert one.frozen == two.frozen
    assert one.frozen


def test_a_step_that_is_not_finite_counts_for_nothing():
    auto = AutoWeight('loss_mgd', steps=2)
    auto.measure(_t(1), _t(2))
    auto.measure(_t(math.nan), _t(2))
    auto.measure(_t(1), _t(math.inf))
    assert (auto.seen, auto.averages) == (1, (1.0, 2.0))


@pytest.mark.parametrize(
    ('task', 'loss', 'what'),
    [(1, 0, 'it is 0'), (0, 1, "the student's own loss is 0")],
)
def test_no_weight_helps_a_loss_of_zero(task, loss, what):
    with pytest.raises(ValueError, match=f'loss_mgd.*{what}'):
        AutoWeight('loss_mgd').measure(_t(task), _t(loss))


def test_the_config():
    def entry(weight, **options):
        return dict(loss=dict(type='x', loss_weight=weight), **options)

    assert auto_weight('loss_mgd', entry(2e-5)) is None
    assert auto_weight('loss_mgd', dict(loss=dict(type='x'))) is None
    auto = auto_weight('loss_mgd', entry('auto'))
    assert (auto.target_ratio, auto.steps) == (1.0, 100)
    options = dict(target_ratio=0.3, steps=7)
    auto = auto_weight('loss_mgd', entry('auto', auto=options))
    assert (auto.target_ratio, auto.steps) == (0.3, 7)
    with pytest.raises(ValueError, match='but its loss_weight is 2e-05'):
        auto_weight('loss_mgd', entry(2e-5, auto=options))
    for wrong in (dict(steps=0), dict(target_ratio=-1), dict(steps='ten')):
        with pytest.raises(ValueError, match='a number above 0'):
            auto_weight('loss_mgd', entry('auto', auto=wrong))
    with pytest.raises(ValueError, match="'target'.*target_ratio"):
        auto_weight('loss_mgd', entry('auto', auto=dict(target=1)))
