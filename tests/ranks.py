"""Runs in each process of tests/test_distributed.py; writes what it saw.

RANK=0 WORLD_SIZE=2 ... python tests/ranks.py FOLDER
"""

import datetime
import runpy
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample

# Not an import: tests/tools has a conftest too.
distiller = runpy.run_path(str(Path(__file__).with_name('conftest.py')))[
    'distiller'
]

BATCH = 8  # of all ranks together


def build(**changes):
    """A distiller whose steps depend on weights and batch alone."""
    cfg = distiller(**changes)
    for part in (cfg['student'], cfg['teacher']['config']):
        part['head']['dropout_rate'] = 0.0
        part['backbone']['drop_path_rate'] = 0.0
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    return model


def whole_batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(BATCH, 3, 32, 32, generator=generator)
    return images, [DataSample().set_gt_label(i) for i in range(BATCH)]


def part_of(batch, index, parts):
    size = BATCH // parts
    return tuple(x[index * size : (index + 1) * size] for x in batch)


def loss_of(model, batch):
    losses = model(*batch, mode='loss')
    return sum(v for k, v in losses.items() if 'loss' in k)


def without_chance():
    """The model with masks off and BN in eval: what a batch gives adds up."""
    cfg = distiller()['distill']
    cfg['loss_mgd']['connector']['mask_ratio'] = 0.0
    cfg['loss_mgd']['loss']['loss_weight'] = 1.0
    return build(distill=cfg).eval()


def accumulate(model, batches):
    """One step of the optimizer over several batches."""
    optim = OptimWrapper(
        torch.optim.SGD(model.parameters(), lr=1e-3), accumulative_counts=2
    )
    for batch in batches:
        with optim.optim_context(model):
            loss = loss_of(model, batch)
        optim.update_params(loss)


def state_of(model):
    return {k: v.clone() for k, v in model.state_dict().items()}


def gradients(rank):
    model = without_chance()
    ddp = _ddp(model)  # kept until the backward pass has shared
    loss_of(ddp, part_of(whole_batch(), rank, 2)).backward()
    return {k: p.grad for k, p in model.named_parameters()}


def accumulated(rank):
    model = without_chance()
    quarters = [part_of(whole_batch(), i, 4) for i in (rank, rank + 2)]
    accumulate(_ddp(model), quarters)
    return state_of(model)


def twenty_steps(rank):
    """With masks, batch statistics, and a loss that ends after ten."""
    cfg = distiller()['distill']
    cfg['loss_mgd'].update(until=10)
    model = build(distill=cfg).train()
    ddp = _ddp(model)
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    masks = []
    model.terms['loss_mgd'].connectors[0].generation.register_forward_pre_hook(
        lambda module, args: masks.append(args[0].detach()[:, :, 0, 0] == 0)
    )
    for step in range(20):
        model.set_position(step)
        batch = part_of(whole_batch(step), rank, 2)
        optim.update_params(loss_of(ddp, batch))
    # Buffers (running statistics) are each rank's own.
    return {
        'parameters': {k: p.data for k, p in model.named_parameters()},
        'masks': torch.stack(masks),
    }


def measured(rank):
    """loss_weight='auto' over six of eight steps, with other images."""
    cfg = distiller()['distill']
    cfg['loss_mgd']['loss']['loss_weight'] = 'auto'
    cfg['loss_mgd']['auto'] = dict(steps=6)
    model = build(distill=cfg).train()
    ddp = _ddp(model)
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01))
    auto = model.terms['loss_mgd'].auto
    seen = []
    for step in range(8):
        batch = part_of(whole_batch(step), rank, 2)
        losses = ddp(*batch, mode='loss')
        optim.update_params(sum(losses.values()))
        seen.append((float(losses['loss'].detach()), *auto.averages))
    return seen


def _ddp(model):
    return MMDistributedDataParallel(
        model, broadcast_buffers=False, find_unused_parameters=False
    )


def main(folder):
    dist.init_process_group('gloo', timeout=datetime.timedelta(seconds=60))
    rank = dist.get_rank()
    seen = {
        f.__name__: f(rank)
        for f in (gradients, accumulated, twenty_steps, measured)
    }
    torch.save(seen, Path(folder) / f'rank{rank}.pth')
    dist.destroy_process_group()


if __name__ == '__main__':
    torch.set_num_threads(1)
    main(sys.argv[1])
