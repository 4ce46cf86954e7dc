"""Lines of results: whole, or skipped with a warning."""

import json
import multiprocessing

import pytest
from study import lines

LINE = {
    'task': 'a',
    'method': 'b',
    'seed': 0,
    'metric': 'm',
    'value': 1.5,
    'settings': 's',
    'code': 'c',
}


def test_what_is_appended_is_read(tmp_path):
    file = tmp_path / 'new' / 'x.jsonl'
    assert lines.read(file) == []
    for seed in range(3):
        lines.append(file, {**LINE, 'seed': seed})
    assert [line['seed'] for line in lines.read(file)] == [0, 1, 2]
    assert file.read_text().count('\n') == 3


@pytest.mark.parametrize('cut', [1, 20, 90])
def test_a_half_written_line_is_skipped_with_a_warning(tmp_path, cut):
    """And costs neither the line before it nor the one after."""
    file = tmp_path / 'x.jsonl'
    lines.append(file, LINE)
    with file.open('a') as out:
        out.write((json.dumps(LINE) + '\n')[:cut])
    with pytest.warns(UserWarning, match=r'x.jsonl, line 2 is skipped'):
        assert len(lines.read(file)) == 1
    lines.append(file, {**LINE, 'seed': 7})
    with pytest.warns(UserWarning, match='line 2'):
        assert [line['seed'] for line in lines.read(file)] == [0, 7]


def test_a_line_that_is_no_result_is_skipped_with_a_warning(tmp_path):
    file = tmp_path / 'x.jsonl'
    file.write_text('[1]\n{"task": "a"}\n\n')
    with pytest.warns(UserWarning, match="without 'task'|without 'method'"):
        assert lines.read(file) == []


def _hold(file, begun, end):
    with lines.locked(file):
        begun.set()
        end.wait(60)


def test_two_processes_never_run_the_same_study(tmp_path):
    context = multiprocessing.get_context('spawn')
    begun, end = context.Event(), context.Event()
    holder = context.Process(
        target=_hold, args=(tmp_path / 'lock', begun, end)
    )
    holder.start()
    assert begun.wait(60)
    with (
        pytest.raises(SystemExit, match='another process'),
        lines.locked(tmp_path / 'lock', 0.3),
    ):
        pass
    holder.kill()  # the lock goes with it
    with lines.locked(tmp_path / 'lock', 10):
        pass
    holder.join()
