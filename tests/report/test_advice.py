"""A teacher in bfloat16 is recommended where it is fast and not yet so."""

import re
from pathlib import Path

import pytest
import torch

from mmmgd.report import advice
from mmmgd.report.preflight import preflight

STUDIES = Path(__file__).parents[2] / 'docs' / 'studies' / 'economies'
PLAIN = dict(optim_wrapper=dict(type='OptimWrapper'))


@pytest.fixture(params=[True, False])
def fast(request, monkeypatch):
    """A CPU with and without instructions for bfloat16."""
    monkeypatch.setattr(advice, 'has_bfloat16', lambda: request.param)
    return request.param


def test_it_is_recommended_where_it_is_fast(build, distiller_cfg, fast):
    teacher = build(distiller_cfg()).teacher
    text = advice.teacher_advice(teacher, PLAIN)
    assert text.startswith("dtype='bfloat16' took") if fast else text == ''
    for wrapper in ('AmpOptimWrapper', 'mmmgd.CPUAmpOptimWrapper'):
        amp = dict(optim_wrapper=dict(type=wrapper))
        assert advice.teacher_advice(teacher, amp) == ''


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_what_is_written_is_left_alone(build, distiller_cfg, fast, dtype):
    cfg = distiller_cfg()
    cfg['teacher']['dtype'] = dtype
    model = build(cfg)
    assert model.teacher.dtype == getattr(torch, dtype)
    assert advice.teacher_advice(model.teacher, PLAIN) == ''


def test_it_stands_below_the_teacher(build, distiller_cfg, fast):
    lines = preflight(build(distiller_cfg()), PLAIN).lines
    assert ("dtype='bfloat16' took" in '\n'.join(lines[:5])) == fast


@pytest.mark.parametrize(
    ('study', 'unit'), [('study', 'of top-1'), ('detection', 'of box AP')]
)
def test_its_numbers_are_those_of_the_studies(
    build, distiller_cfg, study, unit, monkeypatch
):
    monkeypatch.setattr(advice, 'has_bfloat16', lambda: True)
    text = advice.teacher_advice(build(distiller_cfg()).teacher, PLAIN)
    page = (STUDIES / f'{study}.md').read_text('utf-8')
    (row,) = re.findall(r'teacher in bfloat16 \|.*', page)
    number = row.split('|')[-3].split('[')[0].strip().replace('−', '-')
    assert re.search(rf'{re.escape(number)} (points )?{unit}', text)
