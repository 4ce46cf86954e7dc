"""Runs in each process of tests/ops/test_kernels.py; writes what it saw.

RANK=0 WORLD_SIZE=2 ... python tests/ops/ranks_kernels.py FOLDER
"""

import os
import sys
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from mmmgd.models import MGDConnector
from mmmgd.ops import lay_out


def step(rank, late):
    """Take a step; return gradients, and what was written to stderr.

    With `late`, the kernels get their layout when DDP has its buckets.
    """
    torch.manual_seed(0)
    connector = MGDConnector(0.5, 'spatial', 6, 8, cheap=True)
    lay_out(connector.generation, by_position=not late)
    ddp = DistributedDataParallel(connector)
    lay_out(connector.generation, by_position=True)
    feature = torch.full((1, 6, 7, 9), float(rank + 1))
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        ddp(feature, torch.ones(1, 1, 7, 9)).square().sum().backward()
        os.dup2(kept, 2)
        file.seek(0)
        written = file.read().decode()
    grads = {k: p.grad for k, p in connector.named_parameters()}
    return grads, 'strides do not match' in written


def main(folder):
    dist.init_process_group('gloo')
    rank = dist.get_rank()
    grads, early = step(rank, late=False)
    seen = dict(grads=grads, early=early, late=step(rank, late=True)[1])
    torch.save(seen, Path(folder) / f'rank{rank}.pth')
    dist.destroy_process_group()


if __name__ == '__main__':
    torch.set_num_threads(1)
    main(sys.argv[1])
