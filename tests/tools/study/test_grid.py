"""What a study file asks for."""

from collections import Counter

import pytest
from study.reading import read_study

STUDY = """
question: why
metric: {name: accuracy/top1, label: top-1, percent: 100}
data: [images]
seeds: 2
tasks:
  small: {overrides: {train_cfg.max_epochs: 1}}
  large: {methods: [alone, mgd]}
teacher: {config: "{task}/teacher.py", checkpoint: t.pth, seeds: [5]}
methods:
  alone: {config: "{task}/alone.py", title: student alone}
  mgd:
    config: mgd.py
    overrides: {x: 1}
    sweep: {model.loss_weight: [1e-3, 0.1], model.mask_ratio: [0.5]}
  long: {config: long.py, seeds: [0]}
"""


def _read(tmp_path, text=STUDY):
    file = tmp_path / 'study.yaml'
    file.write_text(text)
    return read_study(file)


def test_the_grid_is_whole_and_each_seed_before_the_next(tmp_path):
    cells = _read(tmp_path).cells({})
    assert [cell.name for cell in cells[:6]] == [
        'small/alone/seed-0',
        'small/mgd/loss_weight=0.001/mask_ratio=0.5/seed-0',
        'small/mgd/loss_weight=0.1/mask_ratio=0.5/seed-0',
        'small/long/seed-0',
        'large/alone/seed-0',
        'large/mgd/loss_weight=0.001/mask_ratio=0.5/seed-0',
    ]
    counts = Counter((cell.task, cell.seed) for cell in cells)
    assert counts == {
        ('small', 0): 4,
        ('small', 1): 3,
        ('large', 0): 3,
        ('large', 1): 3,
    }
    assert [cell.seed for cell in cells] == [0] * 7 + [1] * 6


def test_a_cell_says_all_that_its_run_needs(tmp_path):
    first, swept, *_ = _read(tmp_path).cells({})
    assert first.config == 'small/alone.py'
    assert first.overrides == {'train_cfg.max_epochs': 1}
    assert swept.overrides == {
        'train_cfg.max_epochs': 1,
        'x': 1,
        'model.loss_weight': 1e-3,  # YAML takes it for text
        'model.mask_ratio': 0.5,
    }
    assert swept.point == {'loss_weight': 1e-3, 'mask_ratio': 0.5}


def test_each_task_has_a_teacher_and_tasks_share_what_has_one_file(tmp_path):
    text = STUDY.replace(
        'seeds: 2',
        'seeds: 2\nprepare:\n  backbone:\n    config: b.py\n    checkpoint: '
        'b.pth\n    metric: {name: accuracy, label: top-1}',
    )
    study = _read(tmp_path, text.replace('t.pth', '"{task}.pth"'))
    first, teachers = study.rounds()
    assert [(cell.name, str(file)) for cell, file in first] == [
        ('small/backbone/seed-0', 'b.pth')
    ]
    assert [(cell.name, str(file)) for cell, file in teachers] == [
        ('small/teacher/seed-5', 'small.pth'),
        ('large/teacher/seed-5', 'large.pth'),
    ]
    assert teachers[0][0].config == 'small/teacher.py'
    # What is changed for the students of a task is not for their teacher.
    assert (first[0][0].overrides, teachers[0][0].overrides) == ({}, {})
    assert study.metric_of(first[0][0]).name == 'accuracy'
    assert study.metric_of(teachers[0][0]).name == 'accuracy/top1'


def test_an_unknown_method_costs_only_its_own_cells(tmp_path):
    study = _read(tmp_path, STUDY.replace('[alone, mgd]', '[alone, mdg]'))
    failures = {}
    cells = study.cells(failures)
    assert failures == {
        'large/mdg': "unknown method 'mdg'; did you mean 'mgd'?"
    }
    assert len(cells) == 13 - 4


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('question:', 'qestion:', "unknown key 'qestion'.*'question'"),
        ('seeds: 2', 'seed: 2', 'expected a mapping.*seeds'),
        ('overrides: {x: 1}', 'override: {x: 1}', "'override'.*'overrides'"),
        ('tasks:', 'tusks:', 'expected a mapping.*tasks'),
        ('name: acc', 'nam: acc', "unknown key 'nam'"),
        ('    sweep: {', '    sweep: [', 'expected a mapping'),
    ],
)
def test_a_study_file_with_a_mistake_is_refused(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=message):
        _read(tmp_path, STUDY.replace(old, new))


def test_there_must_be_a_study_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no\.yaml'):
        read_study(tmp_path / 'no.yaml')
