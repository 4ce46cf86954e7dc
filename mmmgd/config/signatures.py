"""Which kinds of value a class accepts, by what its signature says."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from numbers import Number
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mmengine.runner import Runner

# What a parameter without an annotation accepts, by the kind of its default.
BY_DEFAULT = {
    'bool': {'bool', 'None'},
    'number': {'number', 'bool', 'list', 'None'},
    'str': {'str', 'list', 'dict', 'None'},
    'list': {'list', 'dict', 'number', 'None'},
    'dict': {'dict', 'list', 'None'},
}
# Whose signatures mean what they say; a user's class may take more.
CHECKED = {'mmmgd', 'mmcv', 'mmengine', 'torch'}
CHECKED |= {'mmdet', 'mmpretrain', 'mmseg'}
# What takes more than its annotation says; what this package checks itself.
UNLIKE = {'deformable_groups', 'loss_scale', 'norm_after_stage', 'patch_pad'}


def kind_of(value: Any) -> str:
    """Return what a value is in a config: 'number', 'str', 'dict', ..."""
    if value is None:
        return 'None'
    for kind, types in (
        ('bool', bool),
        ('number', Number),
        ('str', str),
        ('dict', Mapping),
        ('list', (list, tuple)),
    ):
        if isinstance(value, types):
            return kind
    return 'object'


def accepted(reader: Any, key: str) -> set[str] | None:
    """Return the kinds of value that a class takes; None if of any kind."""
    own = reader.__module__.startswith('mmmgd.models')
    if key in UNLIKE or own or not is_checked(reader):
        return None
    for function in functions(reader):
        parameters = inspect.signature(function).parameters
        if key in parameters:
            default = parameters[key].default
            given = default is not parameters[key].empty
            hint = _hints(function).get(key)
            if hint is None:
                kinds = BY_DEFAULT.get(kind_of(default)) if given else None
            else:
                kinds = _of_hint(hint)
            if kinds is None or (kind_of(default) == 'object' and given):
                return None
            if (
                'dict' in kinds
                and inspect.isclass(reader)
                and reader is not Runner
            ):
                kinds = kinds | {'None'}  # a part that is left out
            return kinds | {'object', *([kind_of(default)] if given else [])}
        if all(p.kind is not p.VAR_KEYWORD for p in parameters.values()):
            return None
    return None


def is_checked(reader: Any) -> bool:
    """Whether the signature of a class or function says what it means."""
    return reader.__module__.partition('.')[0] in CHECKED


def functions(reader: Any) -> Iterator[Any]:
    """Yield each ``__init__`` that reads arguments, the class's own first."""
    if not inspect.isclass(reader):
        yield reader
        return
    for base in takewhile(lambda base: base is not object, reader.__mro__):
        if '__init__' in vars(base):
            yield vars(base)['__init__']


def _hints(function: Any) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except Exception:  # names that exist for type checkers only
        return {}


def _of_hint(hint: Any) -> set[str] | None:
    """Return the kinds that an annotation means; None if it says nothing."""
    origin = get_origin(hint) or hint
    if origin in (Union, UnionType):
        parts = [_of_hint(part) for part in get_args(hint)]
        known = [part for part in parts if part is not None]
        if known != parts and {'dict'} not in known:
            return None  # an object that is built from no config
        return set().union(*known)
    if origin is Literal:
        return {kind_of(value) for value in get_args(hint)}
    if not inspect.isclass(origin):
        return None
    for types, kinds in (
        (NoneType, {'None'}),
        (bool, {'bool', 'None'}),  # mmseg has such a config
        # Transforms say so of three numbers, too: one for each channel.
        ((int, float, Number), {'number', 'bool', 'list'}),
        ((str, Path), {'str'}),
        (Mapping, {'dict'}),
        (Sequence, {'list', 'number'}),
    ):
        if issubclass(origin, types):
            return kinds
    return None
