"""Every shipped config, found by walking: it builds and it trains."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope

from mmmgd.config import (
    check_config,
    is_distilled,
    read_config,
    teacher_configs,
)
from mmmgd.points.forward import input_channels

ROOT = Path(__file__).parents[1] / 'configs'
CONFIGS = sorted(
    str(p.relative_to(ROOT))
    for p in ROOT.rglob('*.py')
    if not p.name.startswith('_')
)
FULL_SIZE = [c for c in CONFIGS if not c.startswith('demo/')]
# Large models: `make test-all` runs them, but for one.
FAMILIES = [c for c in FULL_SIZE if re.search(
    'swin|dinov2|deit|dino-|yolox|rtmdet|gfl|mask2former|segformer|segnext', c
)]  # fmt: skip
SLOW = [c for c in FAMILIES if '/mgd_rtmdet-l_rtmdet-tiny' not in c]


def _read(name) -> Config:
    return read_config(str(ROOT / name))


def _size(name, cfg):
    """Return height and width of images that are small, yet large enough."""
    if '/mgd_dino-' in name:
        return 256  # its 900 queries are chosen among the positions
    if cfg.default_scope == 'mmpretrain' and name in FAMILIES:
        return 224  # windows of 7x7 at a stride of 32
    return 128 if cfg.default_scope == 'mmdet' else 64


def _without_weights(cfg, model, size):
    if is_distilled(cfg):
        model.image_size = size  # not the crop
        for teacher in teacher_configs(model.teacher).values():
            teacher.checkpoint = False
            if 'input_size' in teacher:  # in place of 448 for a crop of 512
                teacher.input_size = size * 7 // 8
    elif 'distiller' in model:  # MMRazor's algorithm
        model.teacher.pretrained, model.teacher_ckpt = False, None


def _build(cfg: Config, size: int = 64):
    model = cfg.model
    _without_weights(cfg, model, size)
    student = model.get('student', model.get('architecture', model))
    for part in student.values():  # no download of weights to begin with
        if isinstance(part, dict) and 'Pretrained' in str(
            part.get('init_cfg')
        ):
            part.init_cfg = None
            if part.type.startswith('ResNe'):
                # Weights do not begin at zero, behind which nothing moves
                # where the norms are frozen, as in DETRs.
                part.zero_init_residual = False
    if 'pretrained' in student:
        student.pretrained = None
    # They ask a Runner for the iteration, or pad to 1024 pixels.
    (student.get('data_preprocessor') or {}).pop('batch_augments', None)
    for owner in (cfg, student):
        if 'size' in (owner.get('data_preprocessor') or {}):
            owner.data_preprocessor.size = (64, 64)  # see _segmented
    if cfg.get('data_preprocessor') is not None:
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        built = MODELS.build(model)
    if 'distiller' in model:
        built.teacher._is_init = True  # as if it had loaded its weights
    return built


def _classified(i, size=64):
    from mmpretrain.structures import DataSample

    image = torch.randint(0, 256, (3, size, size)).byte()
    return dict(inputs=image, data_samples=DataSample().set_gt_label(i))


def _detected(i, size=128):
    """Two objects on the first 128 x 128 pixels, with boxes and masks."""
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks
    from mmengine.structures import InstanceData

    image = torch.randint(0, 256, (3, size, size)).byte()
    boxes = torch.tensor([[8.0, 16, 72, 96], [40 + i, 30, 124, 120]])
    masks = np.zeros((2, size, size), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(
        masks, boxes.int().tolist(), strict=True
    ):
        mask[y1:y2, x1:x2] = 1
    sample = DetDataSample(
        metainfo=dict(
            img_shape=(size, size), ori_shape=(size, size), scale_factor=(1, 1)
        )
    )
    sample.gt_instances = InstanceData(
        bboxes=boxes,
        labels=torch.tensor([3, 7]),
        masks=BitmapMasks(masks, size, size),
    )
    return dict(inputs=image, data_samples=sample)


def _segmented(i, size=64):
    """64 x 64 pixels of three classes, and some to ignore."""
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    image = torch.randint(0, 256, (3, 64, 64)).byte()
    labels = torch.randint(0, 3, (1, 64, 64)) + i
    labels[:, :8] = 255
    sample = SegDataSample(metainfo=dict(img_shape=(64, 64)))
    sample.gt_sem_seg = PixelData(data=labels)
    return dict(inputs=image, data_samples=sample)


SAMPLES = {
    'mmpretrain': _classified,
    'mmdet': _detected,
    'mmseg': _segmented,
}


@pytest.mark.parametrize(
    'name',
    [
        pytest.param(c, marks=pytest.mark.slow if c in SLOW else [])
        for c in FULL_SIZE
    ],
)
def test_two_real_steps(name):
    torch.manual_seed(0)
    cfg = _read(name)
    check_config(cfg)
    size = _size(name, cfg)
    model = _build(cfg, size)
    model.init_weights()
    model.train()
    optim = build_optim_wrapper(model, cfg.optim_wrapper)
    trained = {k: p for k, p in model.named_parameters() if p.requires_grad}
    before = {k: p.detach().clone() for k, p in trained.items()}
    samples = [SAMPLES[cfg.default_scope](i, size) for i in range(2)]
    if not any('mask' in part for part, _ in model.named_modules()):
        for sample in samples:  # as where none are loaded
            sample['data_samples'].get('gt_instances', {}).pop('masks', None)
    for sample in samples:  # grey for models of grey images
        channels = input_channels(model, (64, 64))
        sample['inputs'] = sample['inputs'][:channels]
    for _ in range(2):
        with optim.optim_context(model):
            data = model.data_preprocessor(pseudo_collate(samples), True)
            losses = model(**data, mode='loss')
        total, log = model.parse_losses(losses)
        total.backward()
        assert all(v.isfinite().all() for v in log.values())
        # Each parameter gets a gradient: DDP need not search for unused ones.
        assert not [k for k, p in trained.items() if p.grad is None]
        optim.step()
        optim.zero_grad()
    assert log['loss'] > 0
    if is_distilled(cfg):
        names = {n for t in model.terms.values() for n in t.log_names}
        assert names <= set(log)
        # Over one position, as on the coarsest level here, CWD is zero.
        flat = sorted(names)[-1:] if name.endswith('_cwd.py') else []
        assert all(log[n] > 0 for n in names - {*flat})
    if 'distiller' in cfg.model:
        names = {f'distill.{n}' for n in cfg.model.distiller.distill_losses}
        assert names == {k for k in log if k.startswith('distill.')}
        assert all(log[n] > 0 for n in names)
    moved = [k for k, p in trained.items() if not torch.equal(p, before[k])]
    assert len(moved) > 0.9 * len(trained)


def test_the_width_is_aligned_where_it_differs():
    def connector(name):
        model = _build(_read(f'classification/{name}_8xb32_in1k.py'))
        return model.terms['loss_mgd'].connectors[0]

    wide = connector('mgd-channel_resnet50_mobilenet-v1')
    assert wide.align.weight.shape == (2048, 1024, 1, 1)
    assert wide.generation[0].weight.shape == (2048, 2048, 3, 3)
    assert connector('mgd-channel_resnet34_resnet18').align is None
    assert connector('mimic_resnet34_resnet18').align is None
