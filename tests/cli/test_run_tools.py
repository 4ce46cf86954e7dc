"""``python -m mmmgd train | test | run``: the tools, by their names."""

import json
import sys
from pathlib import Path

import pytest

from mmmgd.__main__ import main
from mmmgd.cli.run import find_tools

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _own_argv(monkeypatch):
    monkeypatch.setattr(sys, 'argv', sys.argv)
    monkeypatch.setattr(sys, 'path', list(sys.path))


def test_tools_are_found_by_name():
    tools = find_tools()
    assert tools['train'].resolve() == ROOT / 'tools' / 'train.py'
    assert tools['digits'].parent.name == 'dataset_converters'
    assert {'test', 'demo', 'study', 'distilled', 'benchmark'} <= set(tools)
    # Neither parts of tools nor those that set up a checkout.
    assert not {'_common', 'scenes', 'install', 'checks'} & set(tools)


def test_no_two_tools_have_the_same_name():
    files = [
        path
        for path in (ROOT / 'tools').rglob('*.py')
        if path.stem in find_tools()
        and "== '__main__'" in path.read_text('utf-8')
    ]
    assert len(files) == len(find_tools())


def test_tools_are_listed(capsys):
    assert main(['run']) == 2
    listed = capsys.readouterr().out.split()
    assert {'train', 'digits', 'demo'} <= set(listed)
    assert main(['run', '--help']) == 0


def test_an_unknown_tool_has_close_names(capsys):
    with pytest.raises(SystemExit, match=r'Close names: digits\.'):
        main(['run', 'digit'])


@pytest.mark.parametrize('command', ['train', 'test'])
def test_usage_names_the_command(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, '--help'])
    assert end.value.code == 0
    assert f'usage: python -m mmmgd {command}' in capsys.readouterr().out


def test_errors_of_tools_are_one_message(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="error: Expected a config at 'no.py"):
        main(['train', 'no.py'])
    with pytest.raises(FileNotFoundError):
        main(['train', 'no.py', '--traceback'])


def test_train_and_test_are_those_of_tools(
    tmp_path, monkeypatch, runner_cfg, classifier_cfg, quick_start
):
    pytest.importorskip('mmpretrain')
    monkeypatch.chdir(tmp_path)
    runner_cfg(classifier_cfg(), default_scope='mmpretrain').dump('tiny.py')
    assert main(['train', 'tiny.py', '--work-dir', 'w']) == 0
    words = ['tiny.py', 'w/epoch_1.pth', '--out', 'metrics.json']
    assert main(['test', *words]) == 0
    assert 'accuracy/top1' in json.loads(Path('metrics.json').read_text())
