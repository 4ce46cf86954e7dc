"""Print an error that the user can correct as one message.

Imports nothing heavy, like ``doctor``.
"""

import linecache
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import Any

FLAG = '--traceback'
HELP = 'show where an error was raised, not only its message'
# Our package, and our tools beside it.
PACKAGE = Path(__file__).resolve().parents[1]
OWN_CODE = (f'{PACKAGE}/', f'{PACKAGE.parent}/tools/')
# What builds the parts of a config: errors below it are about the config. In
# the Runner, that is what happens until it is there, and its `build_...`.
BUILDER = 'mmengine/registry/build_functions.py'
RUNNER = 'mmengine/runner/runner.py'
STARTS = ('__init__', 'from_cfg', 'build_', 'wrap_model', 'setup_')
# Where such code keeps the part of the config, and how much of it is shown.
PARTS = ('cfg', 'dataloader', 'loop', 'evaluator', 'optim_wrapper')
SHOWN = 400
# In a data loader's worker, before the error that it sends.
WORKER = 'Original Traceback'


@contextmanager
def one_message(traceback: bool = False) -> Iterator[None]:
    """Exit with the message of an error alone, and status 1.

    Concerns errors that we raise for users, and those of building what a
    config describes. All others are bugs, and keep their traceback.

    Args:
        traceback: Let every error pass as it is.
    """
    try:
        yield
    except Exception as error:
        message = None if traceback else message_of(error)
        if message is None:
            raise
        raise SystemExit(f'error: {message}') from None


def message_of(error: BaseException) -> str | None:
    """Return the message that a user needs, None where it is a bug.

    Frameworks wrap errors in their own; the outermost that is ours counts.
    """
    one: BaseException | None = error
    while one is not None:
        if _is_ours(one):
            return _text(one)
        one = one.__cause__ or one.__context__
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    builders = [frame for frame in frames if _builds(frame)]
    if not builders:
        return None
    return (
        f'{type(error).__name__}: {_text(error)}{_part_of(builders[-1])} '
        f'({FLAG} shows where.)'
    )


def _builds(frame: FrameType) -> bool:
    """Whether code builds something from a config."""
    code = frame.f_code
    return code.co_filename.endswith(BUILDER) or (
        code.co_filename.endswith(RUNNER) and code.co_name.startswith(STARTS)
    )


def _part_of(frame: FrameType) -> str:
    """Return the part of the config that could not be built, shortened."""
    for name in PARTS:
        part = frame.f_locals.get(name)
        if isinstance(part, dict) and part:
            inner = ', '.join(f'{k}={_short(v)}' for k, v in part.items())
            return f' In dict({inner[:SHOWN]}).'
    return ''


def _short(value: Any) -> str:
    return 'dict(…)' if isinstance(value, dict) else repr(value)[:40]


def _is_ours(error: BaseException) -> bool:
    """Whether a `raise` of ours raised it, here or in a worker process."""
    if type(error).__module__.startswith('mmmgd.'):
        return True
    file, number = [('', 0), *_places(error)][-1]
    line = linecache.getline(file, number).strip()
    return file.startswith(OWN_CODE) and line.startswith('raise ')


def _places(error: BaseException) -> list[tuple[str, int]]:
    """Return file and line of each frame, the one that raised last."""
    return [
        (frame.f_code.co_filename, line)
        for frame, line in walk_tb(error.__traceback__)
    ]


def _text(error: BaseException) -> str:
    # str() of a KeyError adds quotation marks.
    alone = isinstance(error, KeyError) and len(error.args) == 1
    text = str(error.args[0] if alone else error)
    if WORKER in text:
        name = f'{type(error).__module__}.{type(error).__qualname__}: '
        text = text.rpartition(name)[2] or text
    return text.strip()
