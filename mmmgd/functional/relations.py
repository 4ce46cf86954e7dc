"""Losses that compare directions, not magnitudes.

Each is 1 − cos of two vectors, with or without their means: the student need
not copy the teacher's scale, and the loss weight does not depend on it.

A vector without variation (a constant map, a uniform softmax) has no
direction: it counts as uncorrelated and receives no gradient. The published
codes divide by their epsilon there, which gives a gradient of up to 1e8.
"""

import torch
from torch import Tensor

from .sides import compared, compared_classes, mean


def pkd_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Return ½ · mean (z(student) − z(teacher))², z over (N, H, W): PKD.

    That is 1 − ρ, averaged over the channels, with Pearson's ρ (up to the
    factor (n − 1) / n, as the variance is the unbiased one):
    `PKD: General Distillation Framework for Object Detectors via Pearson
    Correlation Coefficient <https://arxiv.org/abs/2207.02039>`_. Reference:
    the authors' code in MMRazor 1.0.0, models/losses/pkd_loss.py.

    Args:
        student: Tensor with shape (N, C, H, W).
        teacher: Tensor of the same shape.

    Raises:
        ValueError: If the two shapes differ.
    """
    student, teacher = compared(student, teacher)
    rest = [0, *range(2, student.dim())]
    z_s, z_t = (z_scores(x, rest, eps=1e-6) for x in (student, teacher))
    return mean((z_s - z_t).square()) / 2


def dist_loss(
    student: Tensor, teacher: Tensor, beta: float, gamma: float, tau: float
) -> Tensor:
    """Return τ² (β mean (1 − ρ of rows) + γ mean (1 − ρ of columns)): DIST.

    Rows are samples, columns are classes, both of the softmax: relations
    between the classes of a sample, and between the samples of a class.
    `Knowledge Distillation from A Stronger Teacher
    <https://arxiv.org/abs/2205.10536>`_. Reference: hunto/DIST_KD@2418f18,
    segmentation/losses/dist_kd.py; the factor τ² is the one of MMRazor 1.0.0,
    models/losses/dist_loss.py.

    With two classes the ρ of a row is 1 or −1, so that only γ teaches.

    Args:
        student: Logits with shape (N, C) or (N, C, H, W). Of a map, each
            position is a sample.
        teacher: Logits of the same shape.
        beta: Weight of the relations between classes.
        gamma: Weight of the relations between samples.
        tau: Temperature.

    Raises:
        ValueError: If the two shapes differ, or there is only one class.
    """
    student, teacher = compared_classes(student, teacher)
    if not student.numel():
        return student.sum()
    # (N, C, H, W) -> (N * H * W, C)
    p_s, p_t = (
        (x / tau).softmax(dim=1).movedim(1, -1).flatten(0, -2)
        for x in (student, teacher)
    )
    rows = mean(1 - _pearson(p_s, p_t))
    columns = mean(1 - _pearson(p_s.t(), p_t.t()))
    return tau**2 * (beta * rows + gamma * columns)


def cosine_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Return 1 − cos over the channels, averaged over the positions.

    Imitation of normalised features, such as in `Improved Feature
    Distillation via Projector Ensemble <https://arxiv.org/abs/2210.15274>`_,
    which takes it of the mean of several projectors. Reference:
    chenyd7/PEFD@7f1e2de, helper/loops.py, there of pooled features.

    Args:
        student: Tensor with shape (N, C, ...).
        teacher: Tensor of the same shape.

    Raises:
        ValueError: If the two shapes differ.
    """
    student, teacher = compared(student, teacher)
    return mean(1 - _cosine(student, teacher))


def z_scores(x: Tensor, dims: list[int], eps: float) -> Tensor:
    """Return (x − mean) / (std + eps) over ``dims``; 0 for a constant."""
    count = torch.Size(x.shape[d] for d in dims).numel()
    if count < 2 or not x.numel():
        return 0 * x
    std, center = torch.std_mean(x, dims, keepdim=True)
    return torch.where(_varies(std, center), (x - center) / (std + eps), 0)


def _pearson(a: Tensor, b: Tensor) -> Tensor:
    """Return ρ of each row: (N, C), (N, C) -> (N,)."""
    return _cosine(_centered(a), _centered(b))


def _centered(x: Tensor) -> Tensor:
    """Subtract the mean of each row; exactly 0 for a constant row."""
    centered = x - x.mean(1, keepdim=True)
    size, spread = (y.norm(dim=1, keepdim=True) for y in (x, centered))
    return torch.where(_varies(spread, size), centered, 0)


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    """Return cos along dimension 1; 0 where a vector is zero."""
    norms = a.norm(dim=1) * b.norm(dim=1)
    return torch.where(norms > 0, (a * b).sum(1) / (norms + 1e-8), 0)


def _varies(spread: Tensor, size: Tensor) -> Tensor:
    """Whether a spread exceeds what rounding leaves of equal numbers.

    Torch adds up to 64 numbers one after the other, and these sums in a tree,
    so that the mean of equal numbers is off by less than 64 units.
    """
    return spread > 64 * torch.finfo(spread.dtype).eps * size.abs()
