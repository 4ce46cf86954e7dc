"""Replace modules that cannot be imported here by ones that say why."""

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any


class AbsentPath(list[str]):
    """The empty ``__path__`` that marks an absent module, with the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    def refusal(self, name: str) -> str:
        """Return the error message for using ``name``."""
        return (
            f'{name} is absent: torch >= 2.0 removed names that the '
            'quantization half of MMRazor needs. Distillation is not '
            'affected. To quantize, use MMRazor with torch 1.13. '
            f'(The import ended with {self.reason})'
        )


class _Placeholder:
    """Base of absent classes: building one raises ImportError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ImportError(self.__doc__)


def make_absent(
    module: ModuleType, reason: str, classes: Mapping[str, str]
) -> None:
    """Empty a module that cannot be imported; using it raises the reason.

    Importing the name raises ImportError (by the finder), reading it
    AttributeError, and ``from module import *`` brings nothing.

    Args:
        module: A module of MMRazor, on its way to be imported.
        reason: How its import ended.
        classes: Classes that other files import from it, each with the
            registry it belongs to: these stay, but refuse to be built.
    """
    prefix, path = f'{module.__name__}.', AbsentPath(reason)

    def refuse(name: str) -> Any:
        raise AttributeError(path.refusal(prefix + name))

    for name in [name for name in sys.modules if name.startswith(prefix)]:
        del sys.modules[name]
    for name in [name for name in vars(module) if name[:2] != '__']:
        delattr(module, name)
    vars(module).update(__path__=path, __all__=[], __getattr__=refuse)
    registries = importlib.import_module('mmrazor.registry')
    for name, registry in classes.items():
        refusal = path.refusal(prefix + name)
        body = {'__module__': module.__name__, '__doc__': refusal}
        cls = type(name, (_Placeholder,), body)
        setattr(module, name, cls)
        getattr(registries, registry).register_module(
            name=name, module=cls, force=True
        )
