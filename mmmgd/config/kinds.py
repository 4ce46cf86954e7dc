"""Refuse values of another kind than their class asks for.

Without this a number given as text is noticed where it is first used, which
may be after an epoch, and the text ``'False'`` is true.
"""

import difflib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from .keys import OF_REGISTRY, check_keys
from .loose import check_words, is_loose, kinds_of
from .sections import CLOSED, check_optimizer, readers
from .signatures import UNLIKE, accepted, functions, is_checked, kind_of

EVALUATORS = ('val_evaluator', 'test_evaluator')
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
        _check_type(path, part)
        seen += found
        if found and found[0] in CLOSED:
            # MMPretrain has `_delete` there, which does no harm.
            public = {k: v for k, v in given.items() if k[0] != '_'}
            check_keys(name, public, inspect.signature(found[0]).parameters)
        if name == 'optim_wrapper.optimizer' and not found:
            check_optimizer(part.get('type'))
        loose = not found and is_loose(path)
        if loose:
            check_words(name, given, seen)
        if found and 'type' in part:
            _check_names(name, given, found)
        for key, value in given.items():
            kinds = [accepted(reader, key) for reader in found]
            kinds += [kinds_of(path[-1], key)] if loose else []
            kinds += [HOOK] if name == 'default_hooks' else []
            _check('.'.join([*path, key]), value, kinds)


def _check_type(path: tuple[str, ...], part: Mapping) -> None:
    """Refuse a `type` that names nothing, and an evaluator without one."""
    if 'type' in part and kind_of(part['type']) in ('number', 'list', 'dict'):
        name = '.'.join([*path, 'type'])
        raise ValueError(_refusal(name, part['type'], {'str'}))
    is_evaluator = len(path) == 1 and path[0] in EVALUATORS
    if is_evaluator and not {'type', 'metrics'} & part.keys():
        raise ValueError(
            f'Expected {path[0]} to be a dict with the type of a metric, or a '
            f'list of them, but got {dict(part)!r:.200}.'
        )


def _check_names(path: str, part: Mapping, found: list) -> None:
    """Refuse a misspelled key that a class would swallow in its kwargs."""
    if not all(map(is_checked, found)):
        return
    read = [f for reader in found for f in functions(reader)]
    known = {k for f in read for k in inspect.signature(f).parameters}
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


def _refusal(path: str, value: Any, *known: set[str] | None) -> str:
    kinds = set().union(*(k for k in known if k))
    if 'number' in kinds:
        kinds.discard('bool')
    words = ' or '.join(text for kind, text in WORDS.items() if kind in kinds)
    return f'Expected {path} to be {words}, but got {value!r:.200}.'
