"""Find the class that the `type` of a config names; check its arguments."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from mmengine.registry import MODELS

from mmmgd.config import OF_REGISTRY, check_keys, close_names


def class_of(cfg: Mapping, name: str) -> Any:
    """Return the class of a connector or a loss.

    MMRazor's need the repairs of :mod:`mmmgd.compat`, which are put in place
    for whoever names one.

    Args:
        cfg: A config with a `type`.
        name: Where it stands, for messages.

    Raises:
        ValueError: If no registry has a class of that name.
    """
    kind = cfg['type']
    if not isinstance(kind, str):
        return kind
    scope, _, bare = kind.rpartition('.')
    if scope == 'mmrazor':
        import_module('mmmgd.compat')
    where = scope or cfg.get('_scope_')
    with MODELS.switch_scope_and_registry(where) as registry:
        found = registry.get(kind)
        if found is None:
            dot = '.' if scope else ''
            close = [
                f"'{scope}{dot}{one}'"
                for one in close_names(bare, registry.module_dict)
            ]
            raise ValueError(
                f'Expected {name}.type to name a class, but no registry has '
                f'{kind!r}. Close names: {", ".join(close) or "none"}.'
            )
    return found


def check_keys_of(cls: Any, name: str, cfg: Mapping) -> None:
    """Refuse arguments that a class does not take; see :func:`check_keys`."""
    parameters = inspect.signature(cls).parameters
    if all(p.kind is not p.VAR_KEYWORD for p in parameters.values()):
        given = {k: v for k, v in cfg.items() if k not in OF_REGISTRY}
        check_keys(name, given, parameters)
