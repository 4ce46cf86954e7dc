"""Distillation losses: thin modules over :mod:`mmmgd.functional`.

``preds_S`` and ``preds_T`` are MMRazor's argument names, so that these losses
fit its ``ConfigurableDistiller`` and its losses fit our driver.
"""

from .features import CosineLoss, MGDLoss, PKDLoss
from .logits import (
    WSLD,
    ChannelWiseDivergence,
    DISTLoss,
    KLDivergence,
    NKDLoss,
)

__all__ = [
    'WSLD',
    'ChannelWiseDivergence',
    'CosineLoss',
    'DISTLoss',
    'KLDivergence',
    'MGDLoss',
    'NKDLoss',
    'PKDLoss',
]
