"""Refuse values of another kind than their class asks for.

Without this a number given as text is noticed where it is first used, which
may be after an epoch, and the text ``'False'`` is true.
"""

import difflib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from numbers import Number
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mmengine.config import Config
from mmengine.runner import Runner

from .keys import OF_REGISTRY, check_keys
from .loose import check_words, is_loose, kinds_of
from .sections import CLOSED, check_optimizer, readers

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
HOOK: set[str] | None = {'dict', 'None', 'object'}
WORDS = {
    'bool': 'True or False',
    'number': 'a number',
    'str': 'a text',
    'list': 'a list',
    'dict': 'a dict',
    'None': 'None',
}


def check_kinds(cfg: Config) -> None:
    """Refuse keys that nobody reads, and values that no reader accepts.

    Raises:
        ValueError: With the path of the key.
    """
    whole = cfg._cfg_dict
    scope = whole.get('default_scope')
    if not isinstance(scope, str | None):
        raise ValueError(_refusal('default_scope', scope, {'str'}))
    seen: list = []
    for path, part in _parts(whole, scope):
        found, name = readers(whole, path, part), '.'.join(path)
        given = {k: v for k, v in part.items() if k not in OF_REGISTRY}
        seen += found
        if found and found[0] in CLOSED:
            check_keys(name, given, inspect.signature(found[0]).parameters)
        if name == 'optim_wrapper.optimizer' and not found:
            check_optimizer(part.get('type'))
        loose = not found and is_loose(path)
        if loose:
            check_words(name, given, seen)
        if found and 'type' in part:
            _check_names(name, given, found)
        for key, value in given.items():
            kinds = [_accepted(reader, key) for reader in found]
            kinds += [kinds_of(path[-1], key)] if loose else []
            kinds += [HOOK] if name == 'default_hooks' else []
            _check('.'.join([*path, key]), value, kinds)


def _check_names(path: str, part: Mapping, found: list) -> None:
    """Refuse a misspelled key that a class would swallow in its kwargs."""
    functions = [f for reader in found for f in _functions(reader)]
    if not all(map(_is_checked, found)):
        return
    known = {k for f in functions for k in inspect.signature(f).parameters}
    for key in part:
        close = difflib.get_close_matches(key, known, 1, 0.85)
        if close and key not in known | UNLIKE:
            raise ValueError(
                f'The config sets {path}.{key}, which nobody reads. Did you '
                f'mean {close[0]!r}?'
            )


def _check(path: str, value: Any, kinds: list[set[str] | None]) -> None:
    """Refuse a value that none of its readers accepts."""
    own = {kind_of(value)}
    if own == {'list'} and value and all(map(_is_part, value)):
        own.add('dict')  # where a part may stand, so may several
    if kinds and all(k and not own & k for k in kinds):
        raise ValueError(_refusal(path, value, *kinds))


def _is_part(value: Any) -> bool:
    return isinstance(value, Mapping) and 'type' in value


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


def _parts(
    node: Any, scope: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping]]:
    """Yield each dict of a config with its path; all know their scope."""
    if isinstance(node, Mapping):
        scope = node.get('_scope_', scope)
        yield path, {**node, '_scope_': scope}
        items: Any = node.items()
    else:
        items = enumerate(node)
    for key, inner in items:
        if isinstance(inner, (Mapping, list, tuple)):
            yield from _parts(inner, scope, (*path, str(key)))


def _accepted(reader: Any, key: str) -> set[str] | None:
    """Return the kinds of value that a class takes; None if of any kind."""
    own = reader.__module__.startswith('mmmgd.models')
    if key in UNLIKE or own or not _is_checked(reader):
        return None
    for function in _functions(reader):
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


def _is_checked(reader: Any) -> bool:
    return reader.__module__.partition('.')[0] in CHECKED


def _functions(reader: Any) -> Iterator[Any]:
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
        (bool, {'bool'}),
        # Transforms say so of three numbers, too: one for each channel.
        ((int, float, Number), {'number', 'bool', 'list'}),
        ((str, Path), {'str'}),
        (Mapping, {'dict'}),
        (Sequence, {'list', 'number'}),
    ):
        if issubclass(origin, types):
            return kinds
    return None


def _refusal(path: str, value: Any, *accepted: set[str] | None) -> str:
    kinds = set().union(*(k for k in accepted if k))
    if 'number' in kinds:
        kinds.discard('bool')
    words = ' or '.join(text for kind, text in WORDS.items() if kind in kinds)
    return f'Expected {path} to be {words}, but got {value!r:.200}.'
