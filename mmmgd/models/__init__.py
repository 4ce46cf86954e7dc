"""Models that the registry ``mmmgd`` knows."""

from mmmgd.teacher.teacher import Teacher

from .backbones import MobileNetV1
from .connectors import AlignConnector, MGDConnector
from .distill import MGDDistill
from .losses import (
    WSLD,
    ChannelWiseDivergence,
    CosineLoss,
    DISTLoss,
    KLDivergence,
    MGDLoss,
    NKDLoss,
    PKDLoss,
)

__all__ = [
    'WSLD',
    'AlignConnector',
    'ChannelWiseDivergence',
    'CosineLoss',
    'DISTLoss',
    'KLDivergence',
    'MGDConnector',
    'MGDDistill',
    'MGDLoss',
    'MobileNetV1',
    'NKDLoss',
    'PKDLoss',
    'Teacher',
]
