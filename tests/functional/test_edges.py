"""What all losses have in common, at the edges of their input."""

from functools import partial

import pytest
import torch

from mmmgd.functional import (
    channel_wise_divergence,
    cosine_loss,
    dist_loss,
    kl_divergence,
    mgd_loss,
    nkd_loss,
    pkd_loss,
    weighted_soft_label,
)


def _labelled(loss, **numbers):
    """Label each sample with its number, modulo the classes."""

    def compute(student, teacher):
        n, c = student.shape
        return loss(student, teacher, torch.arange(n) % c, **numbers)

    return compute


FEATURES = {
    'mgd': mgd_loss,
    'pkd': pkd_loss,
    'cosine': cosine_loss,
    'cwd': partial(channel_wise_divergence, tau=4.0),
}
DIST = partial(dist_loss, beta=1.0, gamma=2.0, tau=2.0)
LOGITS = {
    'kl': partial(kl_divergence, tau=2.0),
    'kl standardized': partial(kl_divergence, tau=2.0, standardize=True),
    'wsld': _labelled(weighted_soft_label, tau=2.0),
    'nkd': _labelled(nkd_loss, gamma=1.5, tau=2.0),
    'nkd standardized': _labelled(
        nkd_loss, gamma=1.5, tau=2.0, standardize=True
    ),
    'dist': DIST,
}
MAPS = {**FEATURES, 'dist map': DIST}
ALL = {k: (loss, (3, 4, 2, 3)) for k, loss in MAPS.items()}
ALL.update({k: (loss, (5, 4)) for k, loss in LOGITS.items()})


def _each(*without):
    """Parametrize with all losses and their shapes, but for the named."""
    ids = [k for k in ALL if k not in without]
    return pytest.mark.parametrize(
        ('loss', 'shape'), [ALL[k] for k in ids], ids=ids
    )


def _pair(shape, dtype=torch.float64, scale=2.0):
    generator = torch.Generator().manual_seed(0)
    s, t = scale * torch.randn(2, *shape, generator=generator).to(dtype)
    return s.requires_grad_(), t


def _backward(loss, student, teacher):
    """Return the loss and its gradient, both of them finite."""
    value = loss(student, teacher)
    (grad,) = torch.autograd.grad(value, student)
    assert value.isfinite() and grad.isfinite().all()
    return value.item(), grad


@_each('wsld')  # its weights are constants: see the golden numbers
def test_gradients(loss, shape):
    student, teacher = _pair(shape)
    assert torch.autograd.gradcheck(lambda x: loss(x, teacher), student)


@_each()
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_that_of_the_input_alone(loss, shape, dtype):
    student, teacher = _pair(shape, dtype)
    value, grad = _backward(loss, student, teacher)
    assert loss(student, teacher).dtype == torch.float32
    assert grad.dtype == dtype
    exact, exact_grad = _backward(
        loss, student.detach().double().requires_grad_(), teacher.double()
    )
    assert value == pytest.approx(exact, rel=1e-4, abs=1e-5)
    # the gradient is rounded once, to the type of the input
    bound = 2 * torch.finfo(dtype).eps
    torch.testing.assert_close(
        grad.double(), exact_grad, rtol=bound, atol=bound
    )


@_each()
def test_an_empty_batch_costs_nothing(loss, shape):
    student, teacher = _pair((0, *shape[1:]))
    value, grad = _backward(loss, student, teacher)
    assert value == 0 and grad.shape == student.shape


@_each()
@pytest.mark.parametrize('width', [4, 1000])
def test_a_student_without_variation_gets_a_moderate_gradient(
    loss, shape, width
):
    """Where a direction is asked of a constant: none, and not 1e8.

    A thousand equal numbers have a mean that is rounded.
    """
    _, teacher = _pair((shape[0], width, *shape[2:]), torch.float32)
    student = torch.full_like(teacher, 0.1).requires_grad_()
    value, grad = _backward(loss, student, teacher)
    assert value > 0
    assert grad.abs().max() < 100


@_each()
def test_a_teacher_without_variation(loss, shape):
    student, teacher = _pair(shape)
    value, grad = _backward(loss, student, torch.full_like(teacher, 0.1))
    assert value > 0
    assert grad.abs().max() < 100


@_each()
def test_one_sample_at_one_position(loss, shape):
    shape = (1, shape[1], *(1 for _ in shape[2:]))
    _backward(loss, *_pair(shape))


@pytest.mark.parametrize('loss', LOGITS.values(), ids=LOGITS)
def test_one_class_teaches_nothing_and_is_refused(loss):
    with pytest.raises(ValueError, match=r'two classes.*\(5, 1\).*features'):
        loss(*_pair((5, 1)))


@_each()
def test_shapes_that_differ_are_named(loss, shape):
    student, teacher = _pair(shape)
    with pytest.raises(ValueError, match=r'same shape.*connector'):
        loss(student, teacher[:-1])


@_each('wsld', 'nkd', 'nkd standardized')  # these ask for the label, too
def test_no_small_step_from_the_teacher_is_better(loss, shape):
    _, teacher = _pair(shape)
    best = loss(teacher, teacher).item()
    for seed in range(5):
        torch.manual_seed(seed)
        step = 0.1 * torch.randn_like(teacher)
        assert loss(teacher + step, teacher).item() > best
