"""Find the class that the `type` of a config names."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from mmengine.registry import MODELS


def class_of(cfg: Mapping) -> Any:
    """Return the class of a connector or a loss, None if there is none.

    MMRazor's need the repairs of :mod:`mmmgd.compat`, which are put in place
    for whoever names one.
    """
    kind = cfg['type']
    if not isinstance(kind, str):
        return kind
    if kind.startswith('mmrazor.'):
        import_module('mmmgd.compat')
    with MODELS.switch_scope_and_registry(None) as registry:
        return registry.get(kind)
