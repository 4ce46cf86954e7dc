"""The driver of `make demo`; the stages themselves run in `make demo`."""

import json
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools'))

from _stages import Running, Stage  # noqa: E402
from demo import plan, run  # noqa: E402


@pytest.fixture(autouse=True)
def _out(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, 'OUT', tmp_path)


@pytest.mark.parametrize('task', plan.TASKS)
def test_each_stage_names_files_that_exist(task):
    for stage in plan.stages_of(task, [0], ['baseline', 'mgd']):
        files = [word for word in stage.command if word.endswith('.py')]
        assert files
        for file in map(Path, files):
            assert file.is_relative_to(ROOT) and file.is_file(), file


def test_the_teacher_is_trained_once_and_before_its_students():
    titles = [
        s.title
        for s in plan.stages_of('classification', [0, 1], ['baseline', 'mgd'])
        if 'training' in s.title
    ]
    assert titles == [
        'classification: teacher (seed 0), training',
        'classification: student alone (seed 0), training',
        'classification: student + MGD (seed 0), training',
        'classification: student alone (seed 1), training',
        'classification: student + MGD (seed 1), training',
    ]


def test_the_teachers_file_is_the_one_that_the_config_names():
    from mmmgd.config import read_config

    for task in plan.TASKS:
        cfg = read_config(str(ROOT / f'configs/demo/{task}_mgd.py'))
        relative = plan.run_dir(task, 'teacher', 0).relative_to(plan.OUT)
        named = Path('work_dirs/demo') / relative / 'last.pth'
        assert cfg.model.teacher.checkpoint == str(named)


def test_results_are_mean_and_spread(tmp_path):
    values = {0: 90.0, 1: 92.0, 2: 97.0}
    for seed, value in values.items():
        for name in ('teacher', 'mgd'):
            folder = plan.run_dir('classification', name, seed)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / 'metrics.json').write_text(
                json.dumps({'accuracy/top1': value})
            )
    rows = run.collect('classification', [0, 1, 2], ['mgd'])
    assert rows['mgd']['values'] == list(values.values())
    assert rows['mgd']['mean'] == 93.0
    assert rows['mgd']['sd'] == statistics.stdev(values.values())
    assert rows['teacher']['sd'] is None


@pytest.mark.parametrize('task', plan.TASKS)
def test_no_stage_waits_for_ever(task):
    waiting = plan.stages_of(task, [0, 1], ['baseline', 'mgd'])
    done = set()
    while waiting:
        ready = [s for s in waiting if done.issuperset(s.needs)]
        assert ready, [s.title for s in waiting]
        done |= {s.title for s in ready}
        waiting = [s for s in waiting if s not in ready]


def test_students_wait_for_their_teacher_and_all_for_the_data():
    stages = plan.stages_of('detection', [0, 1], ['baseline', 'mgd'])
    needs = {stage.title: list(stage.needs) for stage in stages}
    data = 'data --layout coco'
    teacher = 'detection: teacher (seed 0), training'
    alone = 'detection: student alone (seed 1), training'
    mgd = 'detection: student + MGD (seed 1), training'
    assert needs[data] == []
    assert needs[teacher] == needs[alone] == [data]
    assert needs[mgd] == [data, teacher]
    assert needs[mgd.replace('training', 'testing')] == [mgd]
    first = [t.replace('seed 1', 'seed 0') for t in (teacher, alone, mgd)]
    assert needs['detection: pictures'] == first


def test_the_last_checkpoint_gets_a_name_without_a_number(tmp_path):
    (tmp_path / 'epoch_3.pth').write_text('weights')
    (tmp_path / 'last_checkpoint').write_text('elsewhere/epoch_3.pth')
    command = ['x.py', '--work-dir', str(tmp_path)]
    stage = Stage('x', command, tmp_path / 'x.log')
    run.link_last(Running(stage, process=None))
    assert (tmp_path / 'last.pth').read_text() == 'weights'
