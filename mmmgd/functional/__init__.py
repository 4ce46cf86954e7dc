"""The equations, as pure tensor functions.

Each function names its paper and, where there is one, the code of its authors
at a commit. All of them check that the two sides agree in shape, reduce in
float32 at least, and return 0 for an empty batch.
"""

from .masks import (
    MASK_DIMS,
    MASKS,
    attention_mask,
    fixed_mask,
    mask_shape,
    random_mask,
)
from .mgd import mgd_loss
from .relations import cosine_loss, dist_loss, pkd_loss
from .soft_labels import (
    channel_wise_divergence,
    kl_divergence,
    nkd_loss,
    weighted_soft_label,
)

__all__ = [
    'MASKS',
    'MASK_DIMS',
    'attention_mask',
    'channel_wise_divergence',
    'cosine_loss',
    'dist_loss',
    'fixed_mask',
    'kl_divergence',
    'mask_shape',
    'mgd_loss',
    'nkd_loss',
    'pkd_loss',
    'random_mask',
    'weighted_soft_label',
]
