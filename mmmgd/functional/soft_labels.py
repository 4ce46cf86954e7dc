"""Losses on logits that compare softmax distributions."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .relations import z_scores
from .sides import compared, compared_classes, mean


def kl_divergence(
    student: Tensor, teacher: Tensor, tau: float, standardize: bool = False
) -> Tensor:
    """Return τ² · KL(teacher ‖ student) of the classes, averaged over N.

    `Distilling the Knowledge in a Neural Network
    <https://arxiv.org/abs/1503.02531>`_.

    Args:
        student: Logits with shape (N, C, ...).
        teacher: Logits of the same shape.
        tau: Temperature.
        standardize: Compare z-scores: see :func:`standardized`.

    Raises:
        ValueError: If the two shapes differ, or there is only one class.
    """
    student, teacher = compared_classes(student, teacher)
    if standardize:
        student, teacher = standardized(student), standardized(teacher)
    return _kl(student, teacher, tau)


def weighted_soft_label(
    student: Tensor, teacher: Tensor, gt_labels: Tensor, tau: float
) -> Tensor:
    """Return the cross entropy of soft labels, weighted per sample: WSLD.

    `Rethinking Soft Labels for Knowledge Distillation
    <https://arxiv.org/abs/2102.00650>`_. A sample whose true class the
    student already predicts better than the teacher gets a small weight
    1 - exp(-CE_student / CE_teacher).

    Args:
        student: Logits with shape (N, C).
        teacher: Logits with shape (N, C).
        gt_labels: Class indices with shape (N,).
        tau: Temperature of the soft labels.

    Raises:
        ValueError: If the two shapes differ, or there is only one class.
    """
    student, teacher = compared_classes(student, teacher)
    soft = F.softmax(teacher / tau, dim=1)
    soft_ce = -(soft * F.log_softmax(student / tau, dim=1)).sum(dim=1)  # (N,)
    ce_s = F.cross_entropy(student.detach(), gt_labels, reduction='none')
    ce_t = F.cross_entropy(teacher.detach(), gt_labels, reduction='none')
    # 1e-7 as in the reference: a teacher may be exactly right in float32.
    weight = 1 - torch.exp(-ce_s / (ce_t + 1e-7))
    return tau**2 * mean(weight * soft_ce)


def nkd_loss(
    student: Tensor,
    teacher: Tensor,
    gt_labels: Tensor,
    gamma: float,
    tau: float,
    standardize: bool = False,
) -> Tensor:
    """Return normalised KD: the target class and the others apart.

    −T_t log S_t − γ τ² Σ N(T_i) log N(S_i) over the other classes i ≠ t,
    where N is the softmax among these alone, at temperature τ; the target's
    part is at temperature 1. `From Knowledge Distillation to Self-Knowledge
    Distillation <https://arxiv.org/abs/2303.13005>`_. Reference:
    yzd-v/cls_KD@1e5d48f, mmcls/models/dis_losses/nkd.py.

    Args:
        student: Logits with shape (N, C).
        teacher: Logits with shape (N, C).
        gt_labels: Class indices t with shape (N,).
        gamma: Weight of the other classes.
        tau: Temperature among the other classes.
        standardize: Compare z-scores: see :func:`standardized`.

    Raises:
        ValueError: If the two shapes differ, or there is only one class.
    """
    student, teacher = compared_classes(student, teacher)
    if standardize:
        student, teacher = standardized(student), standardized(teacher)
    label = gt_labels[:, None]  # (N,) -> (N, 1)
    t_target = teacher.softmax(dim=1).gather(1, label)
    s_target = student.log_softmax(dim=1).gather(1, label)
    target = -mean(t_target * s_target)

    is_target = torch.zeros_like(student, dtype=torch.bool)
    is_target.scatter_(1, label, True)
    t_other = (teacher / tau).masked_fill(is_target, -math.inf).softmax(dim=1)
    s_other = (student / tau).masked_fill(is_target, -math.inf)
    s_other = s_other.log_softmax(dim=1).masked_fill(is_target, 0)
    other = -mean((t_other * s_other).sum(dim=1))
    return target + gamma * tau**2 * other


def channel_wise_divergence(
    student: Tensor, teacher: Tensor, tau: float
) -> Tensor:
    """Return τ² · KL of each channel's two maps, averaged over N and C.

    `Channel-wise Knowledge Distillation for Dense Prediction
    <https://arxiv.org/abs/2011.13256>`_: the softmax runs over the positions
    of one channel.

    Args:
        student: Tensor with shape (N, C, H, W).
        teacher: Tensor with shape (N, C, H, W).
        tau: Temperature.

    Raises:
        ValueError: If the two shapes differ.
    """
    student, teacher = compared(student, teacher)
    # (N, C, H, W) -> (N * C, H * W): the average is over N and C
    return _kl(
        student.flatten(2).flatten(0, 1),
        teacher.flatten(2).flatten(0, 1),
        tau,
    )


def standardized(logits: Tensor) -> Tensor:
    """Return the z-scores of each sample's logits.

    `Logit Standardization in Knowledge Distillation
    <https://arxiv.org/abs/2403.01427>`_: the student need not have the range
    of the teacher's logits, only their order and proportions. Of C classes
    no z-score exceeds (C − 1) / √C, so with few classes their softmax is never
    confident (ten classes at temperature 1: at most 0.72).

    Args:
        logits: Tensor with shape (N, C, ...).
    """
    return z_scores(logits, [1], eps=1e-7)


def _kl(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """Return τ² · KL(teacher ‖ student) over dimension 1, averaged over N."""
    log_s = F.log_softmax(student / tau, dim=1)
    log_t = F.log_softmax(teacher / tau, dim=1)
    loss = F.kl_div(log_s, log_t, reduction='sum', log_target=True)
    return tau**2 * loss / max(len(student), 1)
