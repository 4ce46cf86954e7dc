"""The configs of classification against tables written from the sources."""

from pathlib import Path

import pytest
from recipe_tables import (
    CLASSIFICATION,
    LOGIT_LOSSES,
    RECIPES,
    VITKD,
    VITKD_RECIPES,
    read,
)

from mmmgd.config import check_config


def test_there_is_a_recipe_for_each_config():
    names = {Path(c).name for c in CLASSIFICATION}
    assert names == {f'{r}_8xb32_in1k.py' for r in RECIPES}
    assert {Path(c).name for c in VITKD} == {
        f'{r}_deit-tiny_4xb256_in1k.py' for r in VITKD_RECIPES
    }


@pytest.mark.parametrize('name', CLASSIFICATION)
def test_recipes_of_classification(name):
    cfg = read(name)
    check_config(cfg)
    assert cfg.train_cfg.max_epochs == 100
    sgd = cfg.optim_wrapper.optimizer
    assert sgd.type == 'SGD'
    assert (sgd.lr, sgd.momentum, sgd.weight_decay) == (0.1, 0.9, 0.0001)
    assert cfg.param_scheduler.milestones == [30, 60, 90]
    assert cfg.train_dataloader.batch_size == 32
    assert cfg.auto_scale_lr.base_batch_size == 256  # 8 x 32
    recipe = RECIPES[Path(name).name.removesuffix('_8xb32_in1k.py')]
    if recipe is None:
        assert cfg.model.backbone.type == 'mmmgd.MobileNetV1'
        return
    teacher, weight, ratio, dim, logits, clip = recipe
    model = cfg.model
    assert model.teacher.config == f'mmpretrain::resnet/{teacher}'
    assert 'checkpoint' not in model.teacher  # the published weights
    mgd = model.distill.loss_mgd
    assert mgd.loss == dict(type='mmmgd.MGDLoss', loss_weight=weight)
    assert mgd.connector.get('mask_ratio') == ratio
    assert mgd.connector.get('mask_dim') == dim
    last = 'backbone.layer4'
    if 'mobilenet' in name:
        last = dict(student='backbone.stage5', teacher=last)
    assert mgd.points == last
    entries = dict(model.distill)
    del entries['loss_mgd']
    if logits:
        entry = entries.pop(f'loss_{logits}')
        assert entry == dict(points='head.fc', loss=LOGIT_LOSSES[logits])
    assert not entries
    grad = cfg.optim_wrapper.get('clip_grad')
    assert (grad and grad.max_norm) == clip


@pytest.mark.parametrize('name', VITKD)
def test_recipes_of_vitkd(name):
    cfg = read(name)
    check_config(cfg)
    assert cfg.train_dataloader.batch_size == 256
    assert cfg.auto_scale_lr.base_batch_size == 1024  # 4 x 256
    assert cfg.optim_wrapper.optimizer.type == 'AdamW'
    student = cfg.model.student
    assert student.backbone.arch == 'deit-tiny'
    assert [a.type for a in student.train_cfg.augments] == ['Mixup', 'CutMix']
    recipe = Path(name).name.removesuffix('_deit-tiny_4xb256_in1k.py')
    teacher, weights = VITKD_RECIPES[recipe]
    assert cfg.model.teacher.config == f'mmpretrain::{teacher}'
    checkpoint = cfg.model.teacher.get('checkpoint', '')
    assert Path(checkpoint).name.startswith(weights)
    entries = dict(cfg.model.distill)
    if 'nkd' in recipe:
        nkd = dict(type='mmmgd.NKDLoss', gamma=1, tau=1, loss_weight=1)
        entry = entries.pop('loss_nkd')
        assert entry == dict(points='head.layers.head', loss=nkd)
    assert entries == dict(
        loss_shallow=dict(
            points=['backbone.layers.0', 'backbone.layers.1'],
            connector=dict(type='mmmgd.AlignConnector'),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=3e-5),
        ),
        loss_deep=dict(
            points='backbone.ln1',
            connector=dict(
                type='mmmgd.MGDConnector',
                mask_ratio=0.5,
                mask='fixed',
                mask_token=True,
            ),
            loss=dict(
                type='mmmgd.MGDLoss', loss_weight=3e-6, hidden_only=True
            ),
        ),
    )
