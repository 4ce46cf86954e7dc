"""Masked Generative Distillation (arXiv 2205.01529) for OpenMMLab.

Importing the package is cheap on purpose: ``python -m mmmgd doctor`` has to
run where torch or MMEngine are missing or broken. Public names are imported
on first use; configs need none of them, they write ``type='mmmgd.MGDLoss'``.
"""

from importlib import import_module
from typing import Any

from .version import __version__

_WHERE = {
    'AlignConnector': 'mmmgd.models',
    'ChannelWiseDivergence': 'mmmgd.models',
    'CosineLoss': 'mmmgd.models',
    'DISTLoss': 'mmmgd.models',
    'DistillHook': 'mmmgd.hooks',
    'KLDivergence': 'mmmgd.models',
    'MGDConnector': 'mmmgd.models',
    'MGDDistill': 'mmmgd.models',
    'MGDLoss': 'mmmgd.models',
    'MobileNetV1': 'mmmgd.models',
    'NKDLoss': 'mmmgd.models',
    'PKDLoss': 'mmmgd.models',
    'Teacher': 'mmmgd.models',
    'WSLD': 'mmmgd.models',
}

__all__ = ['__version__', *_WHERE]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
