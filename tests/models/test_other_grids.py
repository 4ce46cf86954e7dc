"""Pairs whose features have another height and width."""

import pytest
from mmengine.registry import MODELS
from small_models import losses_of, vit


@pytest.mark.parametrize('resize', ['student', 'teacher'])
def test_other_strides_need_a_resize(distiller_cfg, build, batch, resize):
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd'].update(
        points=dict(student='backbone.layer3', teacher='backbone.layer4'),
        resize=resize,
        connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.5),
    )
    model = build(cfg)
    drawn = []
    connector = model.terms['loss_mgd'].connectors[0]
    draw = connector.draw_mask
    connector.draw_mask = lambda *a: drawn.append(draw(*a)) or drawn[0]
    loss = model(*batch, mode='loss')['loss_mgd']
    loss.backward()
    # the mask has the size at which the two are compared
    expected = (4, 4) if resize == 'student' else (8, 8)
    assert drawn[0].shape[2:] == expected
    assert model.student.backbone.conv1.weight.grad.abs().sum() > 0


def test_patches_of_14_against_a_stride_of_8(distiller_cfg, build, batch):
    teacher = dict(
        config=vit(patch_size=14, img_size=28), checkpoint=False,
        multiple_of=14,
    )  # fmt: skip
    cfg = distiller_cfg(teacher=teacher)
    cfg['distill']['loss_mgd'].update(
        points=dict(student='backbone.layer4', teacher='backbone.layers.2'),
        resize='teacher',
    )
    model = build(cfg)
    loss = model(*batch, mode='loss')['loss_mgd']
    loss.backward()
    assert model.student.backbone.conv1.weight.grad.abs().sum() > 0
    assert loss.isfinite()


def test_an_own_size_of_the_teacher(distiller_cfg, build, batch):
    """At 64 pixels its stride of 16 gives the student's grid."""
    cfg = distiller_cfg(
        teacher=dict(
            config=vit(patch_size=16), checkpoint=False, input_size=64
        ),
        image_size=32,
    )
    cfg['distill']['loss_mgd']['points'] = dict(
        student='backbone.layer4', teacher='backbone.layers.2'
    )
    assert losses_of(build(cfg), *batch)['loss_mgd'] > 0


def test_a_fixed_size_of_the_teacher_that_is_not_met(distiller_cfg):
    """As of SimMIM's and of many other people's transformers."""
    from torch import nn

    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Conv2d(3, 4, 8, stride=8)

        def forward(self, x):
            assert x.shape[-2:] == (48, 48), 'only 48x48'
            return self.body(x)

    cfg = distiller_cfg(
        teacher=dict(config=dict(type=Fixed), checkpoint=False),
        image_size=32,
    )
    cfg['distill']['loss_mgd']['points'] = dict(
        student='backbone.layer4', teacher='body'
    )
    message = r'(?s)teacher failed on a 32x32.*only 48x48.*input_size='
    with pytest.raises(RuntimeError, match=message):
        MODELS.build(cfg)
    cfg['teacher']['input_size'] = 48
    cfg['distill']['loss_mgd']['resize'] = 'teacher'
    assert MODELS.build(cfg).teacher.shapes == {'body': (1, 4, 6, 6)}
