"""MGD's loss: the squared error that the generated feature leaves.

`Masked Generative Distillation <https://arxiv.org/abs/2205.01529>`_,
reference code yzd-v/MGD@2c9da0b.
"""

from torch import Tensor

from .sides import compared


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
    generated, target = compared(generated, target)
    return (generated - target).square().sum() / max(len(generated), 1)
