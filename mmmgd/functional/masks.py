"""Which part of the student's feature is hidden."""

import torch
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
