"""Replace SyncBN where a run cannot synchronise it."""

import logging

import torch
from mmengine.dist import get_backend, is_distributed
from mmengine.logging import print_log
from mmengine.model import revert_sync_batchnorm
from torch import nn


def plain_where_alone(model: nn.Module) -> nn.Module:
    """Replace SyncBN by BN unless this run can synchronise it.

    It can in a distributed run on GPUs. One process alone computes the same
    with either; several processes on CPUs cannot use SyncBN at all.

    Args:
        model: Any model; names and weights of its layers stay.

    Returns:
        The same model.
    """
    layers = sum('SyncBatchNorm' in type(m).__name__ for m in model.modules())
    alone = not is_distributed()
    cpus = not alone and get_backend() == 'gloo' and not _has_gpu()
    if not layers or not (alone or cpus):
        return model
    if alone:
        print_log(
            f'{layers} SyncBN layers of the student run as BN: this run is '
            'not distributed.',
            logger='current',
        )
    else:
        print_log(
            f'{layers} SyncBN layers of the student run as BN, with '
            'statistics of each process by itself: SyncBN needs GPUs.',
            logger='current',
            level=logging.WARNING,
        )
    return revert_sync_batchnorm(model)


def _has_gpu() -> bool:
    return torch.cuda.is_available()
