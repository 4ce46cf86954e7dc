"""Terms that would train silently wrong are refused."""

import pytest
from mmengine.registry import MODELS

BAD_TERMS = {
    'a typo': (dict(points='backbone.layer44'), "'backbone.layer4'"),
    'a typo on the side of the teacher': (
        dict(points=dict(student='backbone.layer4', teacher='backbone.lyer4')),
        "of the teacher.*'backbone.layer4'",
    ),
    'never runs': (dict(points='head.loss_module'), 'did not run'),
    'runs more than once': (
        dict(points='backbone.layer4.0.relu'), 'ran 2 times'
    ),
    'another number of points': (
        dict(points=dict(student=['backbone.layer3', 'backbone.layer4'],
                         teacher=['backbone.layer4'])),
        'as many points.*got 2.*and 1',
    ),
    'no points': (dict(points=[]), 'a module path'),
    'written widths that disagree': (
        dict(connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.5,
                            student_channels=33)),
        'student_channels=33.*has seen 32',
    ),
    'another stride': (
        dict(points=dict(student='backbone.layer3',
                         teacher='backbone.layer4')),
        "56, 56.*28, 28.*resize='teacher' brings.*to 56x56, resize='stu",
    ),
    'no connector for another width': (
        dict(connector=None), '32 channels.*teacher 48.*no connector'
    ),
    'a mask ratio of one': (
        dict(connector=dict(type='mmmgd.MGDConnector', mask_ratio=1.0)),
        r'\[0, 1\), but got 1.0',
    ),
    'an unknown key': (dict(conector=None), "conector.*"),
}  # fmt: skip


@pytest.mark.parametrize('case', BAD_TERMS, ids=lambda c: c)
def test_a_bad_term_is_refused_when_built(distiller_cfg, case):
    changes, message = BAD_TERMS[case]
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd'].update(changes)
    with pytest.raises((ValueError, RuntimeError), match=message):
        MODELS.build(cfg)


def test_a_loss_name_without_loss_is_refused(distiller_cfg):
    cfg = distiller_cfg()
    cfg['distill'] = {'mgd': cfg['distill']['loss_mgd']}
    with pytest.raises(ValueError, match="got 'mgd'.*Write 'loss_mgd'"):
        MODELS.build(cfg)


def test_nothing_to_distil_is_refused(distiller_cfg):
    with pytest.raises(ValueError, match='at least one loss'):
        MODELS.build(distiller_cfg(distill={}))


def test_a_name_that_the_student_uses_is_refused(distiller_cfg, build, batch):
    cfg = distiller_cfg()
    cfg['distill'] = {'loss': cfg['distill']['loss_mgd']}
    with pytest.raises(ValueError, match="a loss named 'loss'"):
        build(cfg)(*batch, mode='loss')


def test_a_frozen_point_is_refused(distiller_cfg, build, batch):
    model = build(distiller_cfg())
    model.student.backbone.requires_grad_(False)
    with pytest.raises(RuntimeError, match='carries no gradient'):
        model(*batch, mode='loss')
