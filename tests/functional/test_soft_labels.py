import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mmmgd.functional import (
    channel_wise_divergence,
    kl_divergence,
    nkd_loss,
    weighted_soft_label,
)

GOLDEN = json.loads(
    (Path(__file__).parents[1] / 'data' / 'logit.json').read_text()
)


def _log_softmax(x):
    return x - x.max() - math.log(np.exp(x - x.max()).sum())


def _reference_wsld(s, t, labels, tau):
    """WSLD in plain numpy, sample by sample."""
    total = 0.0
    for row_s, row_t, label in zip(s, t, labels, strict=True):
        soft = np.exp(_log_softmax(row_t / tau))
        soft_ce = -(soft * _log_softmax(row_s / tau)).sum()
        ratio = -_log_softmax(row_s)[label] / (-_log_softmax(row_t)[label])
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


def _reference_nkd(s, t, labels, gamma, tau):
    """NKD in plain numpy, sample by sample."""
    total = 0.0
    for row_s, row_t, label in zip(s, t, labels, strict=True):
        total -= (
            math.exp(_log_softmax(row_t)[label]) * (_log_softmax(row_s)[label])
        )
        others = [np.delete(row, label) / tau for row in (row_s, row_t)]
        log_s, log_t = map(_log_softmax, others)
        total -= gamma * tau**2 * (np.exp(log_t) * log_s).sum()
    return total / len(labels)


def _z_scores(x):
    std = x.std(1, ddof=1, keepdims=True)
    return (x - x.mean(1, keepdims=True)) / (std + 1e-7)


@pytest.fixture
def logits():
    rng = np.random.default_rng(0)
    s, t = rng.normal(size=(2, 16, 7)) * 3
    return s, t, rng.integers(0, 7, 16)


@pytest.mark.parametrize('tau', [1.0, 2.5])
@pytest.mark.parametrize('standardize', [False, True])
def test_nkd_equals_an_independent_reference(logits, tau, standardize):
    s, t, labels = logits
    ours = nkd_loss(
        *map(torch.tensor, logits), gamma=1.5, tau=tau, standardize=standardize
    )
    if standardize:
        s, t = _z_scores(s), _z_scores(t)
    expected = _reference_nkd(s, t, labels, 1.5, tau)
    assert ours.item() == pytest.approx(expected, abs=1e-10)


def test_nkd_of_other_classes_ignores_the_target(logits):
    """With gamma, the target's own logit only moves the target's part."""
    s, t, labels = map(torch.tensor, logits)
    target = torch.nn.functional.one_hot(labels, 7)
    moved = s + 3 * target

    def others(student):
        with_, without = (
            nkd_loss(student, t, labels, gamma, 1.0) for gamma in (1.0, 0.0)
        )
        return (with_ - without).item()

    assert others(moved) == pytest.approx(others(s), abs=1e-12)
    change = (nkd_loss(moved, t, labels, 0.0, 1.0)
              - nkd_loss(s, t, labels, 0.0, 1.0))  # fmt: skip
    assert change.item() < -0.1


def test_standardized_kl_equals_an_independent_reference(logits):
    s, t, _ = logits
    ours = kl_divergence(torch.tensor(s), torch.tensor(t), 2.0, True)
    total = 0.0
    for row_s, row_t in zip(_z_scores(s), _z_scores(t), strict=True):
        log_s, log_t = _log_softmax(row_s / 2), _log_softmax(row_t / 2)
        total += (np.exp(log_t) * (log_t - log_s)).sum()
    assert ours.item() == pytest.approx(4 * total / len(s), abs=1e-10)
    # the teacher's range does not matter
    wide = kl_divergence(torch.tensor(s), 10 * torch.tensor(t) + 3, 2.0, True)
    assert wide.item() == pytest.approx(ours.item(), abs=1e-6)


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
