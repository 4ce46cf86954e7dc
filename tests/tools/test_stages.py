"""Processes that need each other: order, side by side, failure."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools'))

from _stages import Stage, clock, progress, run_all  # noqa: E402

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
    run_all(stages, 2, tmp_path, lambda one: ended.append(one.stage.title))
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


def test_one_that_fails_leaves_out_what_needs_it_and_no_more(tmp_path):
    stages = [
        _stage(tmp_path, 'bad', 'import sys; sys.exit("cause of it")'),
        _stage(tmp_path, 'never', APPEND, 'x', needs=['bad']),
        _stage(tmp_path, 'neither', APPEND, 'y', needs=['never']),
        _stage(tmp_path, 'good', APPEND, 'z'),
    ]
    told = []
    run_all(
        stages,
        1,
        tmp_path,
        failed=lambda one, lost: told.append(
            (one.stage.title, one.tail(), [stage.title for stage in lost])
        ),
    )
    assert told == [('bad', ['cause of it'], ['never', 'neither'])]
    assert (tmp_path / 'order').read_text() == 'z1'


def test_each_process_has_a_gpu_of_its_own(tmp_path):
    """Two at a time: each waits for the other, so no name can be reused."""
    write = (
        'import os; open(os.environ["CUDA_VISIBLE_DEVICES"], "a").write("x"); '
    )
    stages = [
        _stage(tmp_path, 'one', write + MEET, 'a', 'b'),
        _stage(tmp_path, 'two', write + MEET, 'b', 'a'),
    ]
    run_all(stages, 2, tmp_path, devices=['5', '7'])
    assert (tmp_path / '5').read_text() == 'x'
    assert (tmp_path / '7').read_text() == 'x'


def test_the_time_of_a_process_is_its_own(tmp_path):
    busy = (
        'import time\nend = time.process_time() + 1\n'
        'while time.process_time() < end: pass'
    )
    stages = [
        _stage(tmp_path, 'busy', busy),
        _stage(tmp_path, 'idle', 'import time; time.sleep(1.5)'),
    ]
    cpu = {}
    run_all(
        stages,
        2,
        tmp_path,
        lambda one: cpu.update({one.stage.title: one.cpu_seconds}),
    )
    assert cpu['busy'] >= 1
    assert cpu['idle'] < 1


@pytest.mark.skipif(sys.platform != 'linux', reason='prctl is of Linux')
def test_no_process_outlives_a_killed_driver(tmp_path):
    """A second one would otherwise train in the same folder."""
    child = 'import os, time; open("pid", "w").write(str(os.getpid())); '
    code = (
        f'import sys; sys.path.insert(0, {str(ROOT / "tools")!r})\n'
        'from pathlib import Path\nfrom _stages import Stage, run_all\n'
        f'code = {child + "time.sleep(100)"!r}\n'
        'run_all([Stage("x", ["-c", code], Path("x.log"))], 1, Path("."))'
    )
    driver = subprocess.Popen([sys.executable, '-c', code], cwd=tmp_path)
    pid = tmp_path / 'pid'
    _wait(lambda: pid.is_file() and pid.read_text())
    driver.kill()
    driver.wait()
    _wait(lambda: not Path(f'/proc/{pid.read_text()}').exists())


def _wait(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


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
    assert clock(7260) == '2 h 01 min'
