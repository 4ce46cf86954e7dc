"""Layouts, sizes and several teachers: bad input is refused."""

import pytest
from mmengine.registry import MODELS
from small_models import two_teachers

BAD = {
    'which of two': (
        lambda c: c['distill']['loss_a'].pop('teacher'),
        r"one of \['a', 'b'\], but it says none. Write teacher='a'"),
    'none of two': (
        lambda c: c['distill']['loss_a'].update(teacher='c'), "got 'c'"),
    'one that nobody asks': (
        lambda c: c['distill']['loss_b'].update(teacher='a'),
        "distill` with teacher='b', but there is none"),
    'a key that no teacher has': (
        lambda c: c['teacher']['b'].update(input_sizes=3),
        "in teacher.b, but got 'input_sizes'. Did you mean 'input_size'"),
    'inherit from whom': (
        lambda c: c.update(inherit=['head']),
        r"Write inherit=dict\(a=\['head'\]\)"),
    'inherit from nobody': (
        lambda c: c.update(inherit=dict(c=['head'])), "but got 'c'"),
    'resize of no side': (
        lambda c: c['distill']['loss_a'].update(resize='both'), "'both'"),
    'a layout that is none': (
        lambda c: c['distill']['loss_a'].update(
            points=dict(point='backbone.layer4', layout='NLC')), "'NLC'"),
    'tokens without a number': (
        lambda c: c['distill']['loss_a'].update(
            points=dict(point='backbone.layer4', tokens=1)), 'prefix=1'),
    'an image without a size': (
        lambda c: c.update(image_size='big'), "image_size.*'big'"),
    'an input without a size': (
        lambda c: c['teacher']['b'].update(input_size=-1), 'input_size.*-1'),
    'two input sizes': (
        lambda c: c['teacher']['b'].update(input_size=32, multiple_of=8),
        'got both'),
    'a multiple of nothing': (
        lambda c: c['teacher']['b'].update(multiple_of=0), 'multiple_of.*0'),
    'a prefix below zero': (
        lambda c: c['distill']['loss_a'].update(
            points=dict(point='backbone.layer4', tokens=dict(prefix=-1))),
        'prefix.*-1'),
    'a level that does not run': (
        lambda c: c['distill']['loss_a'].update(points='backbone.layer4@9'),
        'layer4@9'),
    'an input of two numbers too many': (
        lambda c: c['teacher']['b'].update(input_size=(1, 2, 3)),
        r'input_size.*\(1, 2, 3\)'),
    'gray': (
        lambda c: c['teacher']['b']['config']['backbone'].update(
            in_channels=1) or c['teacher']['b']['config'].pop(
                'data_preprocessor'),
        'images of 3 channels, the teacher .* of 1'),
}  # fmt: skip


@pytest.mark.parametrize('case', BAD)
def test_bad_input_is_refused(case):
    change, message = BAD[case]
    both, _ = two_teachers()
    change(both)
    with pytest.raises((ValueError, RuntimeError), match=message):
        MODELS.build(both)


def test_a_named_teacher_where_there_is_one_without_a_name(distiller_cfg):
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd']['teacher'] = 'a'
    with pytest.raises(ValueError, match=r'teacher=dict\(a=dict\(config'):
        MODELS.build(cfg)
