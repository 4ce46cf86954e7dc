"""What a hostile case is, and how it is tried.

A case changes the scene, runs a tool, and ends with a sentence that says what
is wrong, before the first step; or well, which is looked at. An exception
that reaches the test is a bare traceback: the case has failed.
"""

import contextlib
import importlib.util
import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

ROOT = Path(__file__).parents[2]


@dataclass
class Scene:
    """A folder to work in, and the tools.

    Attributes:
        folder: It is the working folder.
        steps: One entry for each step of an optimizer.
        patch: Undone after the case.
        text: What a tool has printed, and its last words.
    """

    folder: Path
    steps: list
    patch: Any
    text: str = ''

    @property
    def work(self) -> Path:
        """The work dir."""
        return self.folder / 'work'

    def write(self, lines: str = '', name: str = 'c.py') -> None:
        """Write a config: the base, and these lines."""
        (self.folder / name).write_text(f"_base_ = 'base.py'\n{lines}\n")

    def train(self, *argv: str, config: str = 'c.py') -> int:
        """Run tools/train.py on the config; return its exit status."""
        options = [*argv]
        if '--work-dir' not in argv:
            options = ['--work-dir', 'work', *options]
        return self._end(lambda: _tool('train').main([config, *options]))

    def test(self, *argv: str, config: str = 'c.py') -> int:
        """Run tools/test.py."""
        argv = (*argv, '--work-dir', 'tested')
        return self._end(lambda: _tool('test').main([config, *argv]))

    def module(self, *argv: str) -> int:
        """Run ``python -m mmmgd``."""
        from mmmgd.__main__ import main

        return self._end(lambda: main([*argv]))

    def log(self) -> str:
        """The newest log of the work dir."""
        logs = sorted(
            self.work.glob('*/*.log'), key=lambda path: path.stat().st_mtime_ns
        )
        return logs[-1].read_text()

    def state(self, name: str = 'epoch_1.pth') -> dict:
        """The content of a checkpoint in the work dir."""
        from mmmgd.checkpoints.reading import read_file

        return read_file(str(self.work / name))

    def _end(self, action: Callable[[], object]) -> int:
        """Run it; what it prints and says at last is ``text``."""
        for kind in (MMLogger, MessageHub, Visualizer, DefaultScope):
            kind._instance_dict.clear()  # as in a new process
        out, status = io.StringIO(), 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                result = action()
                status = result if isinstance(result, int) else 0
            except SystemExit as end:  # Python prints a text, and returns 1
                is_text = isinstance(end.code, str)
                status = 1 if is_text else int(end.code or 0)
                print(end.code if is_text else '')
        self.text = out.getvalue()
        return status


@dataclass(frozen=True)
class Case:
    """A hostile or unlucky situation.

    Attributes:
        name: What it is.
        config: Lines that are added to the config.
        told: A pattern of what is said, where it is refused.
        argv: Further arguments of the tool.
        before: What is changed in the scene before.
        tool: 'train', 'test' or 'module'; or what is called with the scene.
        good: What is looked at where it ends well.
        fast: Whether it belongs to the tenth that runs by default.
        status: Of the process, where it is refused.
        steps: Steps that may be taken until it is refused.
    """

    name: str
    config: str = ''
    told: str = ''
    argv: tuple = ()
    before: Callable[[Scene], object] | None = None
    tool: str | Callable[[Scene], int] = 'train'
    good: Callable[[Scene], object] | None = None
    fast: bool = False
    status: int = 1
    steps: int = 0


def table(*cases: Case) -> Any:
    """Parametrize a test with cases; most are slow."""
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    assert all(bool(case.told) != bool(case.good) for case in cases)
    return pytest.mark.parametrize(
        'case',
        [
            pytest.param(
                case,
                id=case.name,
                marks=() if case.fast else pytest.mark.slow,
            )
            for case in cases
        ],
    )


def play(scene: Scene, case: Case) -> None:
    """Try a case."""
    scene.write(case.config)
    if case.before is not None:
        case.before(scene)
    del scene.steps[:]
    if callable(case.tool):
        status = case.tool(scene)
    else:
        status = getattr(scene, case.tool)(*case.argv)
    if case.told:
        assert re.search(f'(?s){case.told}', scene.text), scene.text[-3000:]
        assert 'Traceback' not in scene.text
        assert status == case.status
        assert len(scene.steps) <= case.steps
    else:
        assert status == 0, scene.text[-3000:]
        case.good(scene)


def _tool(name: str) -> ModuleType:
    """Import a tool from its file: a module 'test' exists in Python."""
    key = f'tools_{name}'
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            key, ROOT / 'tools' / f'{name}.py'
        )
        assert spec is not None and spec.loader is not None
        sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[key])
    return sys.modules[key]
