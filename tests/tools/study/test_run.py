"""Which cells run: what there is a line of does not, nor what is closed."""

import pytest
from study import lines
from study.reading import read_study
from study.run import Run, parse
from test_summary import line

STUDY = """
question: why
metric: {name: m, label: AP}
seeds: 1
tasks:
  good: {}
  bad: {}
teacher: {config: no.py, checkpoint: "{task}.pth", gate: 50}
methods: {alone: {config: none.py}}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'study.yaml').write_text(STUDY)
    study = read_study('study.yaml')
    for task, value in (('good', 50.0), ('bad', 49.9)):
        entry = line('teacher', 0, value, task=task)
        lines.append(study.lines, entry)
    return Run(study, parse(['study.yaml']))


def test_no_student_is_trained_before_its_teacher_passes(run):
    failed = run.all()
    assert failed['bad'] == (
        'its teacher reached 49.90, less than its gate of 50: no student is '
        'trained'
    )
    assert 'bad/alone/seed-0' not in failed
    assert 'good' not in failed
    assert 'no such file' in failed['good/alone/seed-0']  # it was tried


def test_a_teacher_that_never_ran_is_no_teacher(run):
    run.study.lines.unlink()
    failed = run.all()
    assert failed['good'].startswith('its teacher reached 0.00')


@pytest.mark.parametrize('kind', ['methods', 'tasks'])
def test_an_unknown_choice_is_named(run, kind):
    run.args = parse(['study.yaml', f'--{kind}', 'god', 'alone'])
    failed = run.all()
    assert f"unknown {kind[:-1]} 'god'" in failed[f'--{kind} god']


@pytest.mark.parametrize(
    ('hooks', 'said'),
    [("dict(logger=dict(type='LoggerHook'))", True), ('dict()', False)],
)
def test_validations_are_logged_by_step_where_there_is_a_logger(
    run, tmp_path, hooks, said
):
    text = f'model = dict()\ndefault_hooks = {hooks}\n'
    (tmp_path / 'none.py').write_text(text)
    for cell in run.study.cells({}):
        run._add(cell)
    stages = run.plans['good/alone/seed-0'].stages
    word = 'default_hooks.logger.log_metric_by_epoch=False'
    assert [word in stage.command for stage in stages] == [said, said]
