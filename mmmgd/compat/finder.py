"""The import hook that applies the repairs."""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from .absent import AbsentPath
from .repairs import RUNNERS


class _RepairingLoader(Loader):
    """Executes a module together with its repair."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        RUNNERS[module.__name__](self.loader, module)


class MMRazorFinder(MetaPathFinder):
    """Finds the MMRazor modules that need a repair, and wraps their loader."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: Any = None
    ) -> ModuleSpec | None:
        """Return the spec with a repairing loader; None for other modules."""
        if isinstance(path, AbsentPath):
            raise ImportError(path.refusal(fullname), name=fullname)
        if fullname not in RUNNERS:
            return None
        for finder in [f for f in sys.meta_path if f is not self]:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _RepairingLoader(spec.loader)
                return spec
        return None
