"""Processes that need each other: order, side by side, failure."""

import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools'))

from demo.stages import Stage, clock, progress, run_all  # noqa: E402

APPEND = (
    'import os, sys; '
    "open('order', 'a').write(sys.argv[1] + os.environ['OMP_NUM_THREADS'])"
)
# Ends only when the other one has begun.
MEET = (
    'import pathlib, sys, time\n'
    'me, other = map(pathlib.Path, sys.argv[1:])\n'
    'me.touch()\n'
    'while not other.exists(): time.sleep(0.05)'
)


def _stage(folder, title, code, *words, needs=()):
    return Stage(title, ['-c', code, *words], folder / f'{title}.log', needs)


def test_the_order_fits_the_needs(tmp_path):
    stages = [
        _stage(tmp_path, 'c', APPEND, 'c', needs=['a', 'b']),
        _stage(tmp_path, 'b', APPEND, 'b', needs=['a']),
        _stage(tmp_path, 'a', APPEND, 'a'),
    ]
    ended = []
    run_all(stages, 2, tmp_path, lambda stage: ended.append(stage.title))
    assert ended == ['a', 'b', 'c']
    assert (tmp_path / 'order').read_text() == 'a1b1c1'


def test_two_run_side_by_side(tmp_path):
    stages = [
        _stage(tmp_path, 'one', MEET, '1', '2'),
        _stage(tmp_path, 'two', MEET, '2', '1'),
    ]
    run_all(stages, 2, tmp_path)


def test_a_stage_that_fails_shows_its_log_and_stops_the_others(tmp_path):
    bad = 'import sys, time; time.sleep(0.5); sys.exit("cause of it")'
    stages = [
        _stage(tmp_path, 'long', 'import time; time.sleep(60)'),
        _stage(tmp_path, 'bad', bad),
        _stage(tmp_path, 'never', APPEND, 'x', needs=['bad']),
    ]
    begin = time.monotonic()
    with pytest.raises(SystemExit, match='bad failed:\ncause of it'):
        run_all(stages, 2, tmp_path)
    assert time.monotonic() - begin < 30
    assert not (tmp_path / 'order').exists()


def test_progress_is_read_from_the_log(tmp_path):
    log = tmp_path / 'x.log'
    log.write_text('mmengine - INFO - Epoch(train)  [12][10/10]  lr: 1')
    assert progress(log) == 'epoch 12'
    log.write_text('mmengine - INFO - Iter(train) [ 50/400]  lr: 1')
    assert progress(log) == 'iter 50'
    log.write_text('')
    assert progress(log) == 'starting'


def test_seconds_are_read_as_minutes():
    assert clock(61.9) == '1:01'
