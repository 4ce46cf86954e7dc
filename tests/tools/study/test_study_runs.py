"""Whole studies, run as a user runs them, on 24 images."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from study import lines

ROOT = Path(__file__).parents[3]
STUDY = """
question: Does a study survive?
metric: {{name: accuracy/top1, label: top-1 (%)}}
data: [{project}/images]
teacher: {{config: {project}/tiny.py, checkpoint: teacher.pth, seeds: [9]}}
tasks: {{tiny: {{title: Tiny}}}}
seeds: 1
baselines: [alone]
methods:
  alone:
    config: {project}/tiny.py
    overrides: {{train_cfg.max_epochs: 2}}
  mgd:
    config: {project}/mgd.py
    sweep: {{model.distill.loss_mgd.loss.loss_weight: [1e-4]}}
"""
MGD = """
_base_ = 'tiny.py'
model = dict(
    _delete_=True, type='mmmgd.MGDDistill', student=_base_.model,
    teacher=dict(config='tiny.py', checkpoint='teacher.pth'),
    distill=dict(loss_mgd=dict(
        points='backbone.features',
        connector=dict(
            type='mmmgd.MGDConnector', mask_ratio=0.3, mask_dim='channel'),
        loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-4))))
default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
"""
# What may differ between two runs of one cell.
TIMES = {'seconds', 'cpu_seconds', 'resumed', 'finished'}


@pytest.fixture
def start(project):
    """Start a study in a folder of its own."""
    (project / 'mgd.py').write_text(MGD)

    def _start(folder, text=STUDY, *words):
        folder.mkdir(exist_ok=True)
        (folder / 'study.yaml').write_text(text.format(project=project))
        env = {
            'PYTHONPATH': f'{ROOT}{os.pathsep}{project}',
            'OMP_NUM_THREADS': '1',
        }
        return subprocess.Popen(
            [sys.executable, ROOT / 'tools/study.py', 'study.yaml', *words],
            cwd=folder,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return _start


def _comparable(folder):
    return {
        (line['method'], line['seed']): {
            k: v for k, v in line.items() if k not in TIMES
        }
        for line in lines.read(folder / 'study.jsonl')
    }


@pytest.mark.slow
def test_killed_at_random_moments_it_gives_the_table_of_an_unbroken_run(
    start, tmp_path
):
    begin = time.monotonic()
    whole = start(tmp_path / 'study')
    said, _ = whole.communicate(timeout=600)
    assert whole.returncode == 0, said
    seconds = time.monotonic() - begin
    expected = _comparable(tmp_path / 'study')
    assert set(expected) == {('teacher', 9), ('alone', 0), ('mgd', 0)}
    (tmp_path / 'broken').mkdir()
    random_ = random.Random(time.time_ns())
    kills = [random_.uniform(0, seconds / 3) for _ in range(5)]
    for moment in kills:
        process = start(tmp_path / 'broken' / 'study')
        time.sleep(moment)
        process.kill()
        process.communicate()
    process = start(tmp_path / 'broken' / 'study', STUDY, '--jobs', '2')
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, (kills, said)
    assert _comparable(tmp_path / 'broken' / 'study') == expected, kills
    tables = [
        (folder / 'study.md').read_text()
        for folder in (tmp_path / 'study', tmp_path / 'broken' / 'study')
    ]
    assert tables[0] == tables[1]
    file = tmp_path / 'broken' / 'study' / 'study.jsonl'
    assert len(file.read_text().splitlines()) == len(expected)


@pytest.mark.slow
def test_what_fails_is_named_and_the_rest_runs(start, tmp_path):
    broken = STUDY.replace('sweep: {{model.distill', 'sweep: {{model.distil')
    text = broken.replace('{{title: Tiny}}', '{{methods: [alone, mgd, mdg]}}')
    text = text.replace('teacher: {{', '#')
    process = start(tmp_path / 'study', text + '  bad: {{config: no.py}}\n')
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 1
    assert "failed: tiny/mdg: unknown method 'mdg'; did you mean 'mgd'" in said
    assert 'failed: tiny/mgd/loss_weight=0.0001/seed-0' in said
    assert [
        (line['method'], line['seed'])
        for line in lines.read(tmp_path / 'study' / 'study.jsonl')
    ] == [('alone', 0)]
    assert '1 of 2 cells have run' in said


@pytest.mark.slow
def test_a_finished_study_trains_nothing(start, tmp_path):
    """And its lines count on another machine, in another folder."""
    text = STUDY.replace('teacher: {{', '#')
    text = text.replace('title: Tiny', 'methods: [alone]')
    first = start(tmp_path / 'study', text)
    first.communicate(timeout=600)
    content = (tmp_path / 'study' / 'study.jsonl').read_text()
    line = json.loads(content)
    assert line['curve']['step'] == [1, 2]
    assert line['steps'] == 12
    assert line['cpu_seconds'] > 0
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other' / 'study').mkdir()
    (tmp_path / 'other' / 'study' / 'study.jsonl').write_text(content)
    second = start(tmp_path / 'other' / 'study', text)
    said, _ = second.communicate(timeout=600)
    assert second.returncode == 0, said
    assert not list((tmp_path / 'other').rglob('train.log'))
