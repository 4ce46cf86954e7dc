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
# Values that can be compared, and keys that are no arguments.
SIMPLE = (str, int, float, tuple)
REGISTRY = ('type', '_scope_')
# In a data loader's worker, before the error that it sends.
WORKER = 'Original Traceback'


@contextmanager
def one_message(traceback: bool = False) -> Iterator[None]:
    """Exit with the message of an error alone, and status 1.

    Concerns errors that we raise for users, those of building what a config
    describes, and those of what it describes before the first step is taken.
    All others are bugs, and keep their traceback.

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
    chain = [error]
    while inner := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(inner)
    frames = [f for one in chain for f, _ in walk_tb(one.__traceback__)]
    whole = _config_of(frames)
    ours = next((one for one in chain if _is_ours(one)), None)
    if ours is not None:
        foreign = ours is not chain[-1]  # of which it tells
        return _text(ours) + (_used(frames, whole) if foreign else '')
    builders = [i for i, frame in enumerate(frames) if _builds(frame)]
    if builders:
        shown = (_part_of(frames[i:], whole) for i in reversed(builders))
        part = next(filter(None, shown), '')
    elif not (part := _used(frames, whole)):
        return None
    hint = _scope_hint(error, whole)
    return (
        f'{type(error).__name__}: {_text(error)}{part}{hint} '
        f'({FLAG} shows where.)'
    )


def _scope_hint(error: BaseException, whole: dict) -> str:
    """Say that a config does not tell whose classes its names mean."""
    if (
        not whole
        or whole.get('default_scope')
        or not (
            isinstance(error, KeyError)
            and 'is not in the mmengine::' in str(error)
        )
    ):
        return ''
    return (
        " The config has no default_scope: 'mmdet', 'mmpretrain' or 'mmseg' "
        'says whose classes are meant.'
    )


def _builds(frame: FrameType) -> bool:
    """Whether code builds something from a config."""
    code = frame.f_code
    return code.co_filename.endswith(BUILDER) or (
        code.co_filename.endswith(RUNNER) and code.co_name.startswith(STARTS)
    )


def _config_of(frames: list[FrameType]) -> dict:
    """Return the config of the Runner, empty once it has taken a step."""
    for frame in frames:
        if frame.f_code.co_filename.endswith(RUNNER):
            runner = frame.f_locals.get('self')
            cfg = getattr(runner, 'cfg', frame.f_locals.get('cfg'))
            whole = getattr(cfg, '_cfg_dict', None)
            # Its `iter` would build the loop.
            loop = getattr(runner, '__dict__', {}).get('_train_loop')
            if whole is not None:
                return {} if getattr(loop, '_iter', 0) else whole
    return {}


def _part_of(frames: list[FrameType], whole: dict) -> str:
    """Show the part of the config that the first of these frames built."""
    names = PARTS if frames[0].f_code.co_name != '__init__' else ()
    for name in names:
        part = frames[0].f_locals.get(name)
        if isinstance(part, dict) and part:
            places = [path for path, one in _parts(whole) if one == part]
            return _given(frames, part, places) or _shown(part, places[:1])
    return ''


def _given(frames: list[FrameType], outer: dict, places: list[str]) -> str:
    """Show the part inside of another that a constructor was called with.

    Many a class builds others without a registry.
    """
    for frame in reversed(frames):
        if frame.f_code.co_name != '__init__':
            continue
        for path, part in _parts(outer):
            given = {k: v for k, v in part.items() if k not in REGISTRY}
            same = [_same(v, frame.f_locals.get(k)) for k, v in given.items()]
            if same and all(same):
                return _shown(part, [f'{p}.{path}' for p in places[:1]])
    return ''


def _same(one: Any, other: Any) -> bool:
    return one is other or (isinstance(other, SIMPLE) and one == other)


def _used(frames: list[FrameType], whole: dict) -> str:
    """Show the part of the config that had the error at work."""
    for frame in reversed(frames):
        name = type(frame.f_locals.get('self')).__name__
        found = {
            path: part
            for path, part in _parts(whole)
            if str(part.get('type')).rpartition('.')[2].rstrip("'>") == name
        }
        if found:
            return _shown(next(iter(found.values())), [*found][:3])
    return ''


def _parts(node: Any, path: str = '') -> Iterator[tuple[str, dict]]:
    """Yield each inner dict of a config with its path."""
    if isinstance(node, dict) and path:
        yield path, node
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, inner in items:
        if isinstance(inner, (dict, list, tuple)):
            yield from _parts(inner, f'{path}.{key}' if path else str(key))


def _shown(part: dict, places: list[str]) -> str:
    inner = ', '.join(f'{k}={_short(v)}' for k, v in part.items())
    where = f'{" or ".join(places)} = ' if places else ''
    return f' In {where}dict({inner[:SHOWN]}).'


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
