"""Three steps of each task in each of several processes.

Run by tests/test_distributed.py, like tests/ranks.py; writes the parameters.
"""

import datetime
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from mmmgd.config import read_config

sys.path.insert(0, str(Path(__file__).parent / 'models'))
import test_detection as detection

SIZE = (96, 128)


def scene(seed):
    """An image with two objects of random places, as mmdet wants it."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(1, 3, *SIZE, generator=generator)
    corner = torch.randint(0, 40, (2, 2), generator=generator).float()
    boxes = torch.cat([corner, corner + 48], 1)
    masks = torch.zeros(2, *SIZE, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int(), strict=True):
        mask[y1:y2, x1:x2] = 1
    names = ('img_shape', 'batch_input_shape', 'pad_shape', 'ori_shape')
    sample = DetDataSample(
        metainfo=dict.fromkeys(names, SIZE) | dict(scale_factor=(1, 1))
    )
    sample.gt_instances = InstanceData(
        bboxes=boxes,
        labels=torch.arange(2),
        masks=BitmapMasks(masks.numpy(), *SIZE),
    )
    return image, [sample]


def street(seed):
    """An image whose pixels have classes, as mmseg wants it."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(2, 3, *SIZE, generator=generator)
    labels = torch.randint(0, 19, (2, 1, *SIZE), generator=generator)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=x)) for x in labels]
    return image, samples


def segmenter(width):
    """mmseg's PSPNet on a ResNet-18, at a small width."""
    name = 'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'
    cfg = read_config(name).model
    for part in (cfg.backbone, cfg.decode_head, cfg.auxiliary_head):
        part.norm_cfg = dict(type='BN')
    cfg.backbone.update(base_channels=width, stem_channels=width)
    cfg.pretrained = None
    cfg.decode_head.update(in_channels=8 * width, channels=16)
    cfg.auxiliary_head.update(in_channels=4 * width, channels=16)
    cfg.data_preprocessor.size = SIZE
    cfg['_scope_'] = 'mmseg'
    return cfg


def segmentation():
    return dict(
        type='mmmgd.MGDDistill',
        student=segmenter(8),
        teacher=dict(
            config=dict(model=segmenter(12), default_scope='mmseg'),
            checkpoint=False,
        ),
        distill=dict(
            loss_mgd=dict(
                points='backbone.layer4',
                connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.75),
                loss=dict(type='mmmgd.MGDLoss', loss_weight=2e-5),
            )
        ),
    )


TASKS = {
    'one-stage detection': (lambda: detection._distiller('one-stage'), scene),
    'two-stage detection': (lambda: detection._distiller('two-stage'), scene),
    'instance segmentation': (lambda: detection._distiller('solo'), scene),
    'semantic segmentation': (segmentation, street),
}


def three_steps(cfg, batch_of, rank):
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    ddp = MMDistributedDataParallel(
        model.train(), broadcast_buffers=False, find_unused_parameters=False
    )
    optim = OptimWrapper(
        torch.optim.SGD(model.parameters(), lr=1e-3),
        clip_grad=dict(max_norm=35),
    )
    for step in range(3):
        losses = ddp(*batch_of(10 * step + rank), mode='loss')
        optim.update_params(model.parse_losses(losses)[0])
    return {k: p.data for k, p in model.named_parameters()}


def main(folder):
    dist.init_process_group('gloo', timeout=datetime.timedelta(seconds=120))
    rank = dist.get_rank()
    seen = {
        name: three_steps(cfg(), batch_of, rank)
        for name, (cfg, batch_of) in TASKS.items()
    }
    torch.save(seen, Path(folder) / f'rank{rank}.pth')
    dist.destroy_process_group()


if __name__ == '__main__':
    torch.set_num_threads(1)
    main(sys.argv[1])
