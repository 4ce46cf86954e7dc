"""The loss of MGD: the squared error of the generated feature.

`Masked Generative Distillation <https://arxiv.org/abs/2205.01529>`_,
reference code yzd-v/MGD@2c9da0b.
"""

from torch import Tensor

from .sides import compared, mean


def mgd_loss(
    generated: Tensor, target: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Return the sum of squares over (C, H, W), averaged over N: eq. (4).

    It is a sum, as in the authors' code: it scales with the map, so that α
    belongs to one crop size and one stride.

    With a mask, only what was hidden counts, divided by its share: the
    generation part of `ViTKD <https://arxiv.org/abs/2209.02432>`_, reference
    yzd-v/cls_KD@1e5d48f, mmcls/models/dis_losses/vitkd.py.

    Args:
        generated: Tensor with shape (N, C, H, W), from the student.
        target: Tensor with shape (N, C, H, W), from the teacher.
        mask: Keep mask, 1 was visible, with shape (N, 1, H, W) or
            (N, C, 1, 1). None: all counts.

    Raises:
        ValueError: If the two shapes differ.
    """
    generated, target = compared(generated, target)
    error = (generated - target).square()
    if mask is not None:
        hidden = 1 - mask.to(error.dtype)
        # Nothing hidden: 0, and not 0 / 0.
        error = (
            error * hidden / mean(hidden).clamp(min=1 / max(mask.numel(), 1))
        )
    return error.sum() / max(len(generated), 1)
