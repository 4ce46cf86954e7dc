"""RTMDet and Swin with their own schedules and hooks, cut and resumed.

Optimizers, their options for groups of parameters, EMA and pipelines are what
the upstream configs say; widths, images and lengths are small.
"""

import pytest
import torch
from mmengine.config import Config
from styles import DIGITS

from mmmgd.config import read_config

pytestmark = pytest.mark.usefixtures('quick_start')


def _averaged(runner):
    """Return the student's weights that EMAHook keeps beside the live ones.

    The average of the connectors is no part of a file: nobody asks for it.
    """
    hook = next(h for h in runner.hooks if hasattr(h, 'ema_model'))
    return hook.ema_model.module.student.state_dict()


def _same_average(whole, parts):
    ours, theirs = _averaged(whole), _averaged(parts)
    assert all(torch.equal(theirs[k], v) for k, v in ours.items())
    live = whole.model.student.state_dict()
    assert any(not torch.equal(ours[k], live[k]) for k in live)


def _rtmdet(scenes):
    """RTMDet-tiny at a third of its width, on images of 64 pixels."""
    cfg = read_config('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py')
    cfg.model.backbone.update(widen_factor=0.125, init_cfg=None)
    cfg.model.neck.update(in_channels=[32, 64, 128], out_channels=32)
    cfg.model.bbox_head.update(
        in_channels=32, feat_channels=32, num_classes=10
    )
    text = cfg.pretty_text.replace('data/coco/', f'{scenes}/')
    for old, new in {
        'instances_train2017': 'instances_train',
        'train2017/': 'train/',
        '640': '64',
        '1280': '128',
    }.items():
        text = text.replace(old, new)
    return Config.fromstring(text, '.py')


@pytest.mark.slow
def test_rtmdet(cut_and_whole, scenes):
    """Switched after the first of three epochs, cut in the third.

    SyncBN, AdamW without decay of norms and biases, EMA of the buffers too,
    the second pipeline; accumulated over two batches.
    """
    cfg = _rtmdet(scenes)
    cfg.model = dict(
        type='mmmgd.MGDDistill',
        student=cfg.model,
        teacher=dict(config=dict(model=cfg.model), checkpoint=False),
        distill=dict(
            loss_mgd=dict(
                points=[f'neck.out_convs.{i}.conv' for i in range(3)],
                connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.65),
                loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-5),
            )
        ),
    )
    cfg.train_dataloader.update(batch_size=2, num_workers=2)
    cfg.train_dataloader.dataset.metainfo = dict(classes=DIGITS.classes)
    cfg.train_cfg = dict(by_epoch=True, max_epochs=3)
    for key in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{key}_{part}'] = None
    cfg.optim_wrapper.accumulative_counts = 2
    ema, switch = cfg.custom_hooks
    assert (ema.type, switch.type) == ('EMAHook', 'PipelineSwitchHook')
    ema.momentum, switch.switch_epoch = 0.1, 1
    cfg.custom_hooks = [ema, switch, dict(type='SyncNormHook')]
    cfg.default_hooks.distill = dict(type='mmmgd.DistillHook')
    cfg.default_hooks.checkpoint.interval = 1
    cfg.default_hooks.pop('visualization', None)
    cfg.randomness, cfg.log_level = dict(seed=1), 'WARNING'
    whole, parts = cut_and_whole(cfg, 2 * 4 + 1)
    _same_average(whole, parts)
    for runner in (whole, parts):
        names = [
            type(t).__name__
            for t in runner.train_dataloader.dataset.pipeline.transforms
        ]
        assert 'RandomResize' in names and 'CachedMosaic' not in names
        decays = {g['weight_decay'] for g in runner.optim_wrapper.param_groups}
        assert decays == {0, 0.05}


def test_swin(cut_and_whole, runner_cfg, distiller_cfg):
    """Checkpointed activations, layer decay, EMA, two batches a step."""
    stock = read_config(
        'mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py'
    )
    backbone = dict(
        stock.model.backbone,
        arch=dict(embed_dims=8, depths=[2, 2], num_heads=[1, 2]),
        img_size=32,
        window_size=4,
        with_cp=True,
        out_indices=(1,),
    )
    model = distiller_cfg()
    model['student'].update(
        backbone=backbone,
        head=dict(stock.model.head, in_channels=16, num_classes=10),
    )
    model['distill']['loss_mgd'].update(
        points=dict(student='backbone.norm1', teacher='backbone.layer4'),
        connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.5),
    )
    model['image_size'] = 32
    cfg = runner_cfg(model, epochs=2)
    cfg.optim_wrapper = dict(
        stock.optim_wrapper,
        accumulative_counts=2,
        constructor='LearningRateDecayOptimWrapperConstructor',
    )
    cfg.optim_wrapper.paramwise_cfg.layer_decay_rate = 0.8
    cfg.param_scheduler = stock.param_scheduler[:1]
    cfg.custom_hooks = [dict(type='EMAHook', momentum=0.1)]
    whole, parts = cut_and_whole(cfg, 12 + 3)
    _same_average(whole, parts)
    groups = whole.optim_wrapper.param_groups
    assert len({g['lr'] for g in groups}) > 3
    decay = {p: g['weight_decay'] for g in groups for p in g['params']}
    named = whole.model.student.named_parameters()
    tables = [decay[p] for name, p in named if 'bias_table' in name]
    assert len(tables) == 4 and set(tables) == {0}
    assert set(decay.values()) == {0, 0.05}
