"""Describe what a Runner holds, so that two of them can be compared."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from mmengine.runner import Runner

PARTS = [
    'model',
    'optim_wrapper',
    'param_schedulers',
    'train_loop',
    'val_loop',
    'hooks',
    'visualizer',
    'log_processor',
    '_load_from',
    '_resume',
    'work_dir',
]
# What differs from run to run: times, folders, canvases, seeds.
UNSEEN = (
    r'cfg|message_hub|_?runner|timestamp|experiment_name|_instance_name|'
    r'json_log_path|.*seed|_?visualizer|.*_save_.*|.*(fig|ax)_save.*|.*_dir'
)


def look(runner: Any) -> dict:
    """Describe all that a Runner holds, so that it can be compared."""
    return {part: _look(getattr(runner, part, None), set()) for part in PARTS}


def _look(one: Any, seen: set) -> Any:
    if one is None or isinstance(one, (bool, int, float, str)):
        return one
    if isinstance(one, dict):
        return _looks(one, seen)
    if isinstance(one, (list, tuple)):
        return [_look(v, seen) for v in one]
    if isinstance(one, torch.Tensor):
        return [str(one.dtype), [*one.shape], one.requires_grad]
    if isinstance(one, (type, Callable)) and not hasattr(one, 'forward'):
        if isinstance(one, partial):
            return _look([one.func, one.args, one.keywords], seen)
        if not hasattr(one, '__dict__') or hasattr(one, '__qualname__'):
            return getattr(one, '__qualname__', type(one).__name__)
    if id(one) in seen or isinstance(one, Runner):
        return type(one).__name__
    seen.add(id(one))
    inner = _looks(getattr(one, '__dict__', {}), seen)
    return {'class': type(one).__qualname__, **inner}


def _looks(items: dict, seen: set) -> dict:
    return {
        str(key): _look(value, seen)
        for key, value in items.items()
        if not re.fullmatch(UNSEEN, str(key))
    }


def difference(one: Any, other: Any, path: str = '') -> str:
    """Return the first place where two descriptions differ; '' if none."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return f'{path}: {sorted(one.keys() ^ other.keys())}'
        pairs: Any = [(k, one[k], other[k]) for k in one]
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f'{path}: {len(one)} and {len(other)}'
        pairs = [
            (i, a, b) for i, (a, b) in enumerate(zip(one, other, strict=True))
        ]
    else:
        same = one == other and isinstance(one, str) == isinstance(other, str)
        return '' if same else f'{path}: {one!r} and {other!r}'
    found = (difference(a, b, f'{path}.{k}') for k, a, b in pairs)
    return next(filter(None, found), '')
