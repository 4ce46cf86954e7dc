"""Overrides of a config from the command line: ``--cfg-options``."""

import argparse
import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config, DictAction

from .checks import ALIKE, DEAD_KEYS, first_keys
from .keys import offer


class Options(DictAction):
    """MMEngine's action, with an error of argparse for what is no option."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: Any = None,
    ) -> None:
        """Read KEY=VALUE, once or more."""
        for text in values:
            if '=' not in text:
                parser.error(
                    f'--cfg-options: expected KEY=VALUE, but got {text!r}.'
                )
        try:
            super().__call__(parser, namespace, values, option_string)
        except AssertionError as error:
            parser.error(f'--cfg-options {" ".join(values)}: {error}.')


def positive(text: str) -> int:
    """Read a whole number above 0, as a type of argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(
            f'expected a whole number above 0, but got {text}'
        )
    return number


def override(cfg: Config, options: Mapping[str, Any]) -> None:
    """Merge overrides into a config.

    Raises:
        ValueError: If nobody would read one of them, or it does not fit.
    """
    for key in options:
        _check_first(cfg, key)
        _check_inner(cfg, key)
    try:
        cfg.merge_from_dict(dict(options))
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(
            f'--cfg-options {", ".join(options)}: {error}'
        ) from error


def _check_first(cfg: Config, key: str) -> None:
    first = key.partition('.')[0]
    known = first_keys()
    if first in known or (first in DEAD_KEYS and first not in cfg):
        return
    if first not in cfg:
        raise ValueError(
            f'--cfg-options {key}: no base of the config has {first!r}, and '
            f'nobody would read it.{offer(first, known)}'
        )
    places = ', '.join(list(_places(cfg, cfg[first]))[:4])
    raise ValueError(
        f'--cfg-options {key}: {first!r} is a variable of the file, which was '
        'used when the file was read: nobody would read the new value. Set '
        + (places or 'the keys that it went into')
        + ' instead.'
    )


def _check_inner(cfg: Config, key: str) -> None:
    """Refuse a new key that looks like one beside it.

    What has a `type` refuses unknown keys itself; a plain dict is read key by
    key, and what is not asked for is ignored.
    """
    node: Any = cfg._cfg_dict
    *parents, last = key.split('.')
    for part in parents:
        if isinstance(node, (list, tuple)) and part.isdigit():
            node = node[int(part)] if int(part) < len(node) else None
        else:
            node = node.get(part) if isinstance(node, Mapping) else None
    if not parents or not isinstance(node, Mapping) or last in node:
        return
    close = difflib.get_close_matches(last, node, n=1, cutoff=ALIKE)
    if close and 'type' not in node:
        raise ValueError(
            f'--cfg-options {key}: the config has no {last!r} there. Did you '
            f'mean {close[0]!r}?'
        )


def _places(node: Any, value: Any, path: str = '') -> Iterator[str]:
    """List where else in a config a value stands."""
    for key, inner in node.items():
        if inner == value and path:
            yield f'{path}{key}'
        elif isinstance(inner, Mapping):
            yield from _places(inner, value, f'{path}{key}.')
