"""``python -m mmmgd compare``: real trainings, side by side."""

import json
import re
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS

from mmmgd.__main__ import main
from mmmgd.report.comparison import best, class_rows, sparkline, verdict
from mmmgd.report.run_log import RunLog, read_run
from mmmgd.report.run_roles import roles_of

STUDENT, DISTILLED, TEACHER = 'student alone', 'distilled', 'teacher'


@pytest.fixture
def compare(capsys):
    """Run the command; return what it printed, or its error."""

    def _compare(*argv, status=0):
        words = ['compare', *map(str, argv)]
        if status:
            with pytest.raises(SystemExit) as error:
                main(words)
            return str(error.value)
        assert main(words) == 0
        return capsys.readouterr().out

    return _compare


def _log(folder, values, start='20260101_000000', metric='accuracy/top1'):
    """Write the scalars of a training, as MMEngine does."""
    file = Path(folder) / start / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    lines = []
    for epoch, value in values.items():
        step = 10 * epoch
        lines += [
            dict(loss=1.0, time=0.5, iter=step, step=step),
            {metric: value, 'time': 9.0, 'data_time': 1.0, 'step': epoch},
        ]
    file.write_text('\n'.join(map(json.dumps, lines)))
    return Path(folder)


@pytest.mark.usefixtures('quick_start')
def test_three_real_trainings(
    runner_cfg, classifier_cfg, distiller_cfg, run, tmp_path, compare
):
    """Student, teacher and distilled student tell by their configs."""
    changes = dict(
        log_level='INFO',  # lists by class stand in the text alone
        val_evaluator=[
            dict(type='Accuracy', topk=(1,)),
            dict(type='SingleLabelMetric', average=None),
        ],
        visualizer=dict(
            type='UniversalVisualizer',
            vis_backends=[dict(type='LocalVisBackend')],
        ),
    )
    hooks = {
        'default_hooks.visualization': dict(
            type='VisualizationHook', enable=True, interval=12
        ),
        'default_hooks.logger': dict(type='LoggerHook', interval=4),
        'train_dataloader.dataset.metainfo.classes': list('abcd'),
        'val_dataloader.dataset.metainfo.classes': list('abcd'),
    }
    distilled = distiller_cfg()
    teacher = distilled['teacher']
    torch.manual_seed(0)
    model = MODELS.build(teacher['config'])
    (tmp_path / 'big').mkdir()
    teacher['checkpoint'] = str(tmp_path / 'big' / 'start.pth')
    torch.save(model.state_dict(), teacher['checkpoint'])
    models = dict(
        alone=distilled['student'], ours=distilled, big=teacher['config']
    )
    runners = {}
    for name, model in models.items():
        cfg = runner_cfg(model, **changes, work_dir=str(tmp_path / name))
        cfg.merge_from_dict(hooks)
        runners[name] = run(cfg)
    page = tmp_path / 'page.html'
    folders = [tmp_path / name for name in models]
    out = compare(*folders, '--html', page)
    rows = {
        cells[1]: cells
        for line in out.splitlines()
        if len(cells := [c.strip() for c in line.split('|')]) > 8
    }
    roles = [rows[name][2] for name in models]
    assert roles == [STUDENT, DISTILLED, TEACHER]
    for name, runner in runners.items():
        value = runner.message_hub.get_scalar('val/accuracy/top1').current()
        assert float(rows[name][3]) == pytest.approx(value, rel=1e-3)
        assert rows[name][4] == '12'
    assert '| precision |' in out and '| d |' in out
    text = page.read_text()
    assert text.count('<svg role') == 2  # the metric, and the ratio
    assert text.count('src="data:image/png;base64,') >= 3
    assert not re.search(r'(src|href)="(?!data:|#)', text)


def test_a_teacher_below_the_student_is_in_the_first_line(tmp_path, compare):
    small = _log(tmp_path / 'small', {1: 20, 2: 30, 3: 29})
    big = _log(tmp_path / 'big', {1: 10, 2: 25})
    out = compare(small, big, '--teacher', big)
    assert '| small |  | 30 | 20 | 29 |' in out
    assert '| big | teacher | 25 | 20 | 25 | -5 |' in out

    runs = [read_run(small), read_run(big)]
    roles = [STUDENT, TEACHER]
    first = verdict(runs, roles, 'accuracy/top1')[0]
    assert first.startswith('The teacher is below the student: big 25 ')
    assert verdict(runs, roles, 'accuracy/top1', lower=True) != [first]
    assert verdict(runs, roles[::-1], 'accuracy/top1') == []


def test_what_distillation_gained_is_said():
    runs = [
        RunLog(Path(name), curves={'mIoU': [(10, value)]})
        for name, value in (('alone', 40.0), ('ours', 42.5))
    ]
    (said,) = verdict(runs, [STUDENT, DISTILLED], 'mIoU')
    assert 'ours 42.5 is 2.5 above the student alone, alone 40' in said


def test_of_steps_that_were_trained_twice_the_newer_count(tmp_path):
    """A run that was killed in the middle of a line, and resumed."""
    run = _log(tmp_path / 'run', {1: 1, 2: 2, 3: 3}, '20260101_000000')
    scalars = run / '20260101_000000/vis_data/scalars.json'
    scalars.write_text(scalars.read_text() + '\n{"loss": 1.0, "it')
    _log(run, {3: 33, 4: 44}, '20260102_000000')
    found = read_run(run)
    assert found.curves == {
        'accuracy/top1': [(10, 1), (20, 2), (30, 33), (40, 44)]
    }
    assert found.seconds == 40 * 0.5
    assert best(found.curves['accuracy/top1']) == (40, 44)


def test_the_classes_of_each_codebase(tmp_path):
    """mmdet's scalars, mmseg's table, mmpretrain's lists."""
    det = _log(
        tmp_path / 'det', {1: 0.5}, metric='coco/traffic light_precision'
    )
    assert read_run(det).classes == {'precision': {'traffic light': 0.5}}
    seg = _log(tmp_path / 'seg', {1: 5.0}, metric='mIoU')
    head = '2026/01/01 00:00:00 - mmengine - INFO - '
    table = (
        '+-------+-----+------+\n| Class | IoU | Acc  |\n'
        '+-------+-----+------+\n| road  | {} | 97.5 |\n'
        '| a car | 1.0 | nan  |\n+-------+-----+------+\n'
    )
    (seg / '20260101_000000/20260101_000000.log').write_text(
        f'{head}per class results:\n{head}\n{table.format("1.0")}'
        f'{head}per class results:\n{head}\n{table.format("2.0")}'
        f'{head}Iter(val) [1/1]  mIoU: 5\n| other | 3 |\n'
    )
    classes = read_run(seg).classes
    assert classes['IoU'] == {'road': 2.0, 'a car': 1.0}
    assert classes['Acc']['road'] == 97.5
    runs = [
        RunLog(Path('a'), classes={'IoU': {'road': 2.0, 'car': 5.0}}),
        RunLog(Path('b'), classes={'IoU': {'road': 4.0, 'car': 5.5}}),
    ]
    assert class_rows(runs, ['', ''])['IoU'] == [
        ['IoU', 'a', 'b', 'difference'],
        ['road', '2', '4', '+2'],
        ['car', '5', '5.5', '+0.5'],
    ]


def test_a_metric_of_ones_own_and_one_where_less_is_better(tmp_path, compare):
    for name, value in (('a', 3.0), ('b', 2.0)):
        _log(tmp_path / name, {1: value, 2: value + 1}, metric='mae')
    runs = (tmp_path / 'a', tmp_path / 'b')
    assert '| b |  | 2 | 10 | 3 | -1 |' in compare(*runs, '--lower')
    err = compare(*runs, '--metric', 'maee', status=1)
    assert "got 'maee'" in err and 'mae' in err


def test_a_curve_in_one_line():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 0, 7) == '▁▂▃▄▅▆▇█'
    assert sparkline([1, 1], 1, 1) == '▁▁'
    assert sparkline(range(32), 0, 31)[-1] == '█'
    assert len(sparkline(range(1000), 0, 999)) <= 16


def test_runs_of_the_same_name_are_told_apart(tmp_path, compare):
    a = _log(tmp_path / 'one' / 'work', {1: 1})
    b = _log(tmp_path / 'two' / 'work', {1: 2})
    out = compare(a, b)
    assert '| one/work |' in out and '| two/work |' in out


def test_bad_input(tmp_path, compare):
    good = _log(tmp_path / 'good', {1: 1})
    other = _log(tmp_path / 'other', {1: 1}, metric='mIoU')
    (tmp_path / 'empty').mkdir()
    assert 'Close names: good' in compare(good, tmp_path / 'goood', status=1)
    err = compare(good, tmp_path / 'empty', status=1)
    assert 'vis_data/scalars.json' in err and 'LocalVisBackend' in err
    assert 'two work dirs or more' in compare(good, good, status=1)
    err = compare(good, other, status=1)
    assert 'accuracy/top1' in err and 'mIoU' in err
    err = compare(good, tmp_path / 'good', other, '--teacher', 'x', status=1)
    assert 'Expected' in err


def test_nobody_is_a_teacher_without_a_distilled_run(tmp_path):
    runs = [RunLog(tmp_path / 'a'), RunLog(tmp_path / 'b')]
    assert roles_of(runs) == ['', '']
    assert roles_of(runs, str(tmp_path / 'b')) == ['', TEACHER]
    with pytest.raises(ValueError, match='one of the runs'):
        roles_of(runs, str(tmp_path / 'c'))
