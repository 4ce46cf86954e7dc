"""The equations, as pure tensor functions.

MGD is `Masked Generative Distillation <https://arxiv.org/abs/2205.01529>`_,
reference code yzd-v/MGD@2c9da0b. The logit losses are the ones it is combined
with; their sources are named in each function.

Reductions run in float32 at least: a sum over (C, H, W) of half-precision
squares overflows at feature magnitudes that real networks have.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

MASK_DIMS = ('spatial', 'channel')


def random_mask(
    feature: Tensor,
    mask_ratio: float,
    mask_dim: str,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw a keep mask on the feature's device: 1 is visible, 0 is hidden.

    Args:
        feature: Tensor with shape (N, C, H, W); only its shape, type and
            device are used.
        mask_ratio: λ, the probability that a position (or channel) is hidden,
            in [0, 1).
        mask_dim: 'spatial' hides positions in all channels, 'channel' hides
            whole channels.
        generator: Random stream on the feature's device. Defaults to the
            global one.

    Returns:
        Tensor with shape (N, 1, H, W) or (N, C, 1, 1).
    """
    n, c, h, w = feature.shape
    shape = (n, 1, h, w) if mask_dim == 'spatial' else (n, c, 1, 1)
    draw = torch.rand(shape, device=feature.device, generator=generator)
    return (draw >= mask_ratio).to(feature.dtype)


def mgd_loss(generated: Tensor, target: Tensor) -> Tensor:
    """Squared error, summed over (C, H, W) and averaged over N: eq. (4).

    It is a sum, as in the authors' code: it scales with the map, so that α
    belongs to one crop size and one stride.

    Args:
        generated: Tensor with shape (N, C, H, W), from the student.
        target: Tensor with shape (N, C, H, W), from the teacher.

    Raises:
        ValueError: If the two shapes differ.
    """
    _check_same_shape(generated, target)
    generated, target = _at_least_float32(generated), _at_least_float32(target)
    return (generated - target).square().sum() / generated.shape[0]


def kl_divergence(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """τ² · KL(teacher ‖ student) of the softened classes, averaged over N.

    `Distilling the Knowledge in a Neural Network
    <https://arxiv.org/abs/1503.02531>`_.

    Args:
        student: Logits with shape (N, C, ...).
        teacher: Logits of the same shape.
        tau: Temperature.

    Raises:
        ValueError: If the two shapes differ.
    """
    _check_same_shape(student, teacher)
    log_s = F.log_softmax(_at_least_float32(student) / tau, dim=1)
    log_t = F.log_softmax(_at_least_float32(teacher) / tau, dim=1)
    loss = F.kl_div(log_s, log_t, reduction='batchmean', log_target=True)
    return tau**2 * loss


def weighted_soft_label(
    student: Tensor, teacher: Tensor, gt_labels: Tensor, tau: float
) -> Tensor:
    """Soft-label cross entropy, weighted per sample by who is better: WSLD.

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
        ValueError: If the two shapes differ.
    """
    _check_same_shape(student, teacher)
    student, teacher = _at_least_float32(student), _at_least_float32(teacher)
    soft = F.softmax(teacher / tau, dim=1)
    soft_ce = -(soft * F.log_softmax(student / tau, dim=1)).sum(dim=1)  # (N,)
    ce_s = F.cross_entropy(student.detach(), gt_labels, reduction='none')
    ce_t = F.cross_entropy(teacher.detach(), gt_labels, reduction='none')
    # 1e-7 as in the reference: a teacher may be exactly right in float32.
    weight = 1 - torch.exp(-ce_s / (ce_t + 1e-7))
    return tau**2 * (weight * soft_ce).mean()


def channel_wise_divergence(
    student: Tensor, teacher: Tensor, tau: float
) -> Tensor:
    """τ² · KL between the two maps of each channel, averaged over N and C.

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
    _check_same_shape(student, teacher)
    # (N, C, H, W) -> (N * C, H * W): batchmean then averages over N and C
    return kl_divergence(
        student.flatten(2).flatten(0, 1),
        teacher.flatten(2).flatten(0, 1),
        tau,
    )


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _check_same_shape(student: Tensor, teacher: Tensor) -> None:
    if student.shape != teacher.shape:
        raise ValueError(
            'Expected the student and the teacher side of a distillation loss '
            f'to have the same shape, but got {tuple(student.shape)} and '
            f'{tuple(teacher.shape)}. A connector changes the channels '
            "(type='mmmgd.AlignConnector' or 'mmmgd.MGDConnector'); for the "
            'rest, choose points with the same stride.'
        )
