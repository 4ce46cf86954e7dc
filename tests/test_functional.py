import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mmmgd.functional import (
    channel_wise_divergence,
    kl_divergence,
    mgd_loss,
    random_mask,
    weighted_soft_label,
)

GOLDEN = json.loads(
    (Path(__file__).parent / 'data' / 'logit.json').read_text()
)


def _reference_wsld(s, t, labels, tau):
    """WSLD in plain numpy, sample by sample."""

    def log_softmax(x):
        return x - x.max() - math.log(np.exp(x - x.max()).sum())

    total = 0.0
    for row_s, row_t, label in zip(s, t, labels, strict=True):
        soft = np.exp(log_softmax(row_t / tau))
        soft_ce = -(soft * log_softmax(row_s / tau)).sum()
        ratio = -log_softmax(row_s)[label] / (-log_softmax(row_t)[label])
        total += (1 - math.exp(-ratio)) * soft_ce
    return tau**2 * total / len(labels)


def test_wsld_equals_an_independent_reference():
    rng = np.random.default_rng(0)
    s, t = rng.normal(size=(2, 16, 7)) * 3
    labels = rng.integers(0, 7, 16)
    ours = weighted_soft_label(
        torch.tensor(s), torch.tensor(t), torch.tensor(labels), 2.0
    )
    assert ours.item() == pytest.approx(
        _reference_wsld(s, t, labels, 2.0), rel=1e-6
    )


def test_mgd_loss_is_a_sum_over_the_map_and_a_mean_over_images():
    generated = torch.zeros(2, 3, 4, 5)
    assert mgd_loss(generated, generated) == 0
    # each image: 3 * 4 * 5 ones
    assert mgd_loss(generated, torch.ones(2, 3, 4, 5)) == 60
    # half the height and width: a quarter of the loss
    small = mgd_loss(torch.zeros(2, 3, 2, 2), torch.ones(2, 3, 2, 2))
    large = mgd_loss(torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4))
    assert small / large == 0.25


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_reduced_in_float32(dtype):
    # 1e4 squared overflows float16, and its sum over the map more so
    feature = torch.full((1, 8, 20, 30), 1e4, dtype=dtype)
    loss = mgd_loss(feature, torch.zeros_like(feature))
    assert loss.dtype == torch.float32
    expected = feature.double().square().sum().item()
    assert loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize('shape', [(1, 3, 4, 4), (2, 4, 4, 4), (2, 3, 4, 5)])
def test_shapes_that_differ_are_named(shape):
    with pytest.raises(ValueError, match=r'\(2, 3, 4, 4\).*connector'):
        mgd_loss(torch.zeros(2, 3, 4, 4), torch.zeros(shape))


@pytest.mark.parametrize('mask_dim', ['spatial', 'channel'])
@pytest.mark.parametrize('ratio', [0.15, 0.45, 0.65, 0.75])
def test_the_hidden_share_is_mask_ratio(mask_dim, ratio):
    feature = torch.zeros(8, 128, 64, 64, dtype=torch.float64)
    draws = [
        random_mask(feature, ratio, mask_dim) for _ in range(40)
    ]  # at least 40960 decisions
    mask = torch.stack(draws)
    assert mask.dtype == feature.dtype
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert 1 - mask.mean().item() == pytest.approx(ratio, abs=0.01)


def test_masks_differ_between_images_and_have_the_right_shape():
    feature = torch.zeros(2, 6, 9, 7)
    spatial = random_mask(feature, 0.5, 'spatial')
    channel = random_mask(feature, 0.5, 'channel')
    assert spatial.shape == (2, 1, 9, 7)
    assert channel.shape == (2, 6, 1, 1)
    assert not torch.equal(spatial[0], spatial[1])


def test_ratio_zero_hides_nothing():
    assert random_mask(torch.zeros(2, 3, 50, 50), 0.0, 'spatial').all()


def test_masks_are_drawn_on_the_device_of_the_feature():
    # 'meta' has no CPU fallback: a mask made on the CPU could not be on it
    feature = torch.zeros(2, 3, 4, 4, device='meta')
    assert random_mask(feature, 0.5, 'spatial').device.type == 'meta'


@pytest.mark.parametrize('case', GOLDEN, ids=lambda c: c['name'])
def test_logit_losses_match_the_golden_numbers(case):
    """Made with MMRazor 1.0.0's losses, in float64."""
    shape = case['shape']

    def tensor(key):
        return torch.tensor(case[key], dtype=torch.float64).reshape(shape)

    student = tensor('student').requires_grad_()
    args = [student, tensor('teacher')]
    if case['name'] == 'WSLD':
        args.append(torch.tensor(case['labels']))
        function = weighted_soft_label
    elif case['name'].startswith('KL'):
        function = kl_divergence
    else:
        function = channel_wise_divergence
    loss = case['loss_weight'] * function(*args, case['tau'])
    loss.backward()
    assert loss.item() == pytest.approx(case['loss'], abs=1e-9)
    torch.testing.assert_close(
        student.grad, tensor('grad_student'), rtol=0, atol=1e-9
    )
