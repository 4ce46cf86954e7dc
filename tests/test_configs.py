"""Every shipped config, found by walking: it builds and it trains."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope

from mmmgd.config import check_config, is_distilled, read_config

ROOT = Path(__file__).parents[1] / 'configs'
CONFIGS = sorted(
    str(p.relative_to(ROOT))
    for p in ROOT.rglob('*.py')
    if not p.name.startswith('_')
)
CLASSIFICATION = [c for c in CONFIGS if c.startswith('classification/')]

# Written from the authors' recipes, not from the configs:
# teacher, loss_weight, mask_ratio, mask_dim, WSLD, clip
R18, R34, R50 = (f'resnet{d}_8xb32_in1k.py' for d in (18, 34, 50))
RECIPES = {
    'mgd-channel_resnet34_resnet18': (R34, 7e-5, 0.15, 'channel', False, None),
    'mgd-spatial_resnet34_resnet18': (R34, 7e-5, 0.5, 'spatial', False, None),
    'mgd-channel-wsld_resnet34_resnet18': (
        R34, 7e-5, 0.15, 'channel', True, None),
    'mgd-channel_resnet50_mobilenet-v1': (
        R50, 7e-5, 0.15, 'channel', False, 5.0),
    'mgd-channel-wsld_resnet50_mobilenet-v1': (
        R50, 7e-5, 0.15, 'channel', True, 5.0),
    'mgd-channel_resnet18_resnet18': (R18, 7e-5, 0.15, 'channel', False, None),
    'mimic_resnet34_resnet18': (R34, 7e-5, None, None, False, None),
    'mimic_resnet18_resnet18': (R18, 7e-5, None, None, False, None),
    'mobilenet-v1': None,
}  # fmt: skip


def _read(name) -> Config:
    return read_config(str(ROOT / name))


def _build(cfg: Config):
    model = cfg.model
    if is_distilled(cfg):
        model.teacher.checkpoint = False
    if cfg.get('data_preprocessor') is not None:
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(model)


def test_the_walk_finds_what_is_there():
    names = {Path(c).name for c in CLASSIFICATION}
    assert names == {f'{r}_8xb32_in1k.py' for r in RECIPES}


@pytest.mark.parametrize('name', CLASSIFICATION)
def test_recipes_of_classification(name):
    cfg = _read(name)
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
    teacher, weight, ratio, dim, wsld, clip = recipe
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
    assert ('loss_wsld' in model.distill) == wsld
    if wsld:
        assert model.distill.loss_wsld.loss == dict(
            type='mmmgd.WSLD', tau=2, loss_weight=2.5
        )
    grad = cfg.optim_wrapper.get('clip_grad')
    assert (grad and grad.max_norm) == clip


@pytest.mark.parametrize('name', CLASSIFICATION)
def test_two_real_steps_of_classification(name):
    from mmpretrain.structures import DataSample

    torch.manual_seed(0)
    cfg = _read(name)
    model = _build(cfg)
    model.init_weights()
    model.train()
    optim = build_optim_wrapper(model, cfg.optim_wrapper)
    before = [p.detach().clone() for p in model.parameters()]
    for _ in range(2):
        data = pseudo_collate(
            [
                dict(
                    inputs=torch.randint(0, 256, (3, 64, 64)).byte(),
                    data_samples=DataSample().set_gt_label(i),
                )
                for i in range(2)
            ]
        )
        log = model.train_step(data, optim)
        assert all(v.isfinite().all() for v in log.values())
    names = set(log) - {'loss'}
    if is_distilled(cfg):
        assert set(cfg.model.distill) <= names
        # one loss for each term, and the student's own
        assert all(log[n] > 0 for n in cfg.model.distill)
    after = list(model.parameters())
    assert all(
        not torch.equal(a, b) for a, b in zip(before, after, strict=True)
    )


def test_the_width_is_aligned_where_it_differs():
    def connector(name):
        model = _build(_read(f'classification/{name}_8xb32_in1k.py'))
        return model.terms['loss_mgd'].connectors[0]

    wide = connector('mgd-channel_resnet50_mobilenet-v1')
    assert wide.align.weight.shape == (2048, 1024, 1, 1)
    assert wide.generation[0].weight.shape == (2048, 2048, 3, 3)
    assert connector('mgd-channel_resnet34_resnet18').align is None
    assert connector('mimic_resnet34_resnet18').align is None
