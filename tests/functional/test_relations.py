"""PKD, DIST and the cosine against NumPy, written from the equations."""

import numpy as np
import pytest
import torch

from mmmgd.functional import cosine_loss, dist_loss, pkd_loss


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    student = rng.normal(2, 3, (3, 5, 4, 6))
    return student, 0.3 * student + rng.normal(-1, 1, student.shape)


def _softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _reference_pkd(s, t):
    total = 0.0
    for c in range(s.shape[1]):
        z_s, z_t = (
            (x - x.mean()) / (x.std(ddof=1) + 1e-6)
            for x in (s[:, c].ravel(), t[:, c].ravel())
        )
        total += ((z_s - z_t) ** 2).sum()
    return total / s.size / 2


def _reference_rho(a, b):
    a, b = a - a.mean(), b - b.mean()
    return a @ b / (np.sqrt(a @ a) * np.sqrt(b @ b) + 1e-8)


def _reference_dist(s, t, beta, gamma, tau):
    p_s, p_t = (
        _softmax(np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]) / tau)
        for x in (s, t)
    )
    rows = [1 - _reference_rho(*pair) for pair in zip(p_s, p_t, strict=True)]
    columns = [
        1 - _reference_rho(*pair) for pair in zip(p_s.T, p_t.T, strict=True)
    ]
    return tau**2 * (beta * np.mean(rows) + gamma * np.mean(columns))


def test_pkd_equals_the_reference(maps):
    loss = pkd_loss(*map(torch.tensor, maps)).item()
    assert loss == pytest.approx(_reference_pkd(*maps), abs=1e-10)
    # and that is 1 - rho of each channel, up to (n - 1) / n and epsilon
    s, t = (np.moveaxis(x, 1, 0).reshape(5, -1) for x in maps)
    rho = [np.corrcoef(*pair)[0, 1] for pair in zip(s, t, strict=True)]
    n = s.shape[1]
    assert loss == pytest.approx((1 - np.mean(rho)) * (n - 1) / n, abs=1e-5)


def test_pkd_is_blind_to_scale_and_offset(maps):
    student, teacher = map(torch.tensor, maps)
    assert pkd_loss(100 * teacher + 7, teacher).item() < 1e-10
    expected = pkd_loss(student, teacher).item()
    loss = pkd_loss(student, 100 * teacher - 3).item()
    assert loss == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize('shape', [(3, 5, 4, 6), (72, 5)])
@pytest.mark.parametrize('tau', [1.0, 4.0])
def test_dist_equals_the_reference(maps, shape, tau):
    if len(shape) == 2:
        maps = [np.moveaxis(x, 1, -1).reshape(shape) for x in maps]
    loss = dist_loss(*map(torch.tensor, maps), beta=2.0, gamma=0.5, tau=tau)
    expected = _reference_dist(*maps, 2.0, 0.5, tau)
    assert loss.item() == pytest.approx(expected, abs=1e-10)


def test_dist_of_a_map_has_a_sample_at_each_position(maps):
    student, teacher = map(torch.tensor, maps)
    flat = [x.movedim(1, -1).reshape(-1, 5) for x in (student, teacher)]
    numbers = dict(beta=1.0, gamma=1.0, tau=1.0)
    assert dist_loss(student, teacher, **numbers).item() == pytest.approx(
        dist_loss(*flat, **numbers).item(), abs=1e-12
    )


def test_dist_wants_the_order_and_not_the_values():
    """A linear function of the teacher's probabilities is as good."""
    teacher = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
    p = teacher.double().softmax(1)
    softer = (0.5 * p + 0.5 / 6).log()
    loss = dist_loss(softer, teacher.double(), 1.0, 1.0, 1.0)
    assert loss.item() < 1e-6
    other = dist_loss(softer.flip(1), teacher.double(), 1.0, 1.0, 1.0)
    assert other.item() > 0.5


def test_cosine_equals_the_reference(maps):
    s, t = (np.moveaxis(x, 1, -1).reshape(-1, 5) for x in maps)
    rows = [
        1 - a @ b / (np.sqrt(a @ a) * np.sqrt(b @ b) + 1e-8)
        for a, b in zip(s, t, strict=True)
    ]
    loss = cosine_loss(*map(torch.tensor, maps)).item()
    assert loss == pytest.approx(np.mean(rows), abs=1e-10)
