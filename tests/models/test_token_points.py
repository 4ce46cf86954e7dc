"""Points whose features are tokens, or have their channels last."""

import pytest
import torch
from mmengine.registry import MODELS
from small_models import losses_of, vit


@pytest.fixture
def vit_taught(distiller_cfg):
    """A student of stride 8 whose teacher has tokens of 8x8 pixels."""
    cfg = distiller_cfg(teacher=dict(config=vit(), checkpoint=False))
    cfg['distill']['loss_mgd']['points'] = dict(
        student='backbone.layer4', teacher='backbone.layers.2'
    )
    return cfg


def test_token_mgd_is_map_mgd_on_the_reshaped_map(vit_taught, build, batch):
    model = build(vit_taught).double()
    images, samples = batch[0].double(), batch[1]
    ours = losses_of(model, images, samples)['loss_mgd']
    connector = model.terms['loss_mgd'].connectors[0]
    connector.mask_stream.draws = 0
    backbone = model.teacher.module.backbone
    seen = {}
    backbone.layers[2].register_forward_hook(
        lambda module, args, output: seen.update(tokens=output)
    )
    with torch.no_grad():
        backbone(images)
        tokens = seen['tokens']
        assert tokens.shape == (4, 17, 24)  # a class token and 4 x 4
        target = tokens[:, 1:].reshape(4, 4, 4, 24).permute(0, 3, 1, 2)
        student = model.student.backbone(images)[0]
        error = connector(student) - target
    expected = 1e-3 * error.square().sum() / 4
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=0)


def test_prefix_tokens_never_enter_the_loss(vit_taught, build, batch):
    """Other class tokens at the last layer, the same loss."""
    model = build(vit_taught)
    last = model.teacher.module.backbone.layers[2]
    stream = model.terms['loss_mgd'].connectors[0].mask_stream

    def change(number):
        def hook(module, args, output):
            return torch.cat([output[:, :1] + number, output[:, 1:]], dim=1)

        stream.draws = 0
        handle = last.register_forward_hook(hook, prepend=True)
        loss = losses_of(model, *batch)['loss_mgd']
        handle.remove()
        return loss

    assert torch.equal(change(0.0), change(1e6))


def test_tokens_on_both_sides(distiller_cfg, build, batch):
    head = dict(
        type='VisionTransformerClsHead', num_classes=10, in_channels=24
    )
    student = {**vit(), 'head': head}
    cfg = distiller_cfg(
        student=student,
        teacher=dict(config=vit(patch_size=16), checkpoint=False),
    )
    cfg['distill']['loss_mgd'].update(
        points='backbone.layers.1', resize='teacher'
    )
    model = build(cfg)
    losses = model(*batch, mode='loss')
    losses['loss_mgd'].backward()
    grad = model.student.backbone.patch_embed.projection.weight.grad
    assert grad.abs().sum() > 0 and losses['loss_mgd'].isfinite()


def test_a_class_token_alone_is_refused(vit_taught):
    points = vit_taught['distill']['loss_mgd']['points']
    points['teacher'] = 'backbone'
    with pytest.raises(ValueError, match=r"'backbone' is \(1, 24\) \(N, C\)"):
        MODELS.build(vit_taught)


def test_a_token_count_that_fits_no_grid_is_named(vit_taught):
    points = vit_taught['distill']['loss_mgd']['points']
    points['teacher'] = dict(point='backbone.layers.2', tokens=dict(prefix=3))
    with pytest.raises(ValueError, match="'backbone.layers.2': tokens=.*fit"):
        MODELS.build(vit_taught)


def test_channels_last_equals_channels_first(distiller_cfg, build, batch):
    """The same maps through an outer module that moves the channels."""
    from torch import nn

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Conv2d(3, 48, 3, stride=8, padding=1)
            self.norm = nn.LayerNorm(48)

        def forward(self, x):
            return self.norm(self.body(x).permute(0, 2, 3, 1))

    class First(Last):
        def __init__(self):
            super().__init__()
            self.out = nn.Identity()

        def forward(self, x):
            return self.out(super().forward(x).permute(0, 3, 1, 2))

    losses = []
    for module, point in ((Last, 'norm'), (First, 'out')):
        cfg = distiller_cfg(
            teacher=dict(config=dict(type=module), checkpoint=False)
        )
        cfg['distill']['loss_mgd']['points'] = dict(
            student='backbone.layer4', teacher=point
        )
        losses.append(losses_of(build(cfg), *batch)['loss_mgd'])
    assert torch.equal(*losses)
