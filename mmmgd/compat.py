"""Repairs for the codebases below us, each only where upstream still fails.

``import mmmgd.compat`` before MMRazor, or before reading an ``mmseg::``
config. It imports no codebase, and changes neither torch nor a version number.
Lines are those of MMRazor 1.0.0 and onedl-mmengine 0.10.12.

- ``mmrazor/__init__.py:16-19`` asserts mmcv <= 2.1.0. Its distillation half
  runs on newer ones.
- ``mmrazor/structures/quantization/backend_config/
  common_operator_config_utils.py:21-23`` imports ``reverse2``, ``reverse3``
  and ``reverse_sequential_wrapper2``, which torch 2.0 removed. A placeholder
  (26-44) hides that until line 53 ends the import of all ``mmrazor.models`` as
  "`torch>=1.13` is not installed properly". Here the quantization half, and
  only it, becomes absent, and says so if asked.
- ``mmrazor/models/losses/kd_soft_ce_loss.py:9`` imports from ``mmcls``, now
  ``mmpretrain``. A placeholder (12) hides that until the first batch of
  ``KDSoftCELoss``. Here mmpretrain's function takes its place.
- ``mmengine/config/utils.py:22`` maps ``mmseg`` to the distribution
  ``mmsegmentation``. Beside ``onedl-mmsegmentation`` that is not there:
  ``Config.fromfile`` fails, and ``mmengine/hub/hub.py:36`` pip-installs it
  over the user's environment.
- ``mmrazor/models/task_modules/predictor/handler/base_handler.py:2`` imports
  joblib, which MMRazor does not declare: it belongs in our requirements.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from mmengine.config.utils import MODULE2PACKAGE
from mmengine.utils import digit_version, is_installed

__all__ = ['install']

# The part that fails on torch >= 2.0; the others are of no use without it.
_KEYSTONE = 'mmrazor.structures.quantization'

# Every module of the quantization half, with the names (and their registries)
# that other MMRazor files import from it: these stay, but refuse to be built.
_QUANTIZATION: dict[str, dict[str, str]] = {
    _KEYSTONE: {},
    'mmrazor.models.fake_quants': {},
    'mmrazor.models.observers': {},
    'mmrazor.models.quantizers': {},
    'mmrazor.models.algorithms.quantization': {
        'MMArchitectureQuant': 'MODELS',
        'MMArchitectureQuantDDP': 'MODEL_WRAPPERS',
    },
    'mmrazor.engine.runner.quantization_loops': dict.fromkeys(
        ['LSQEpochBasedLoop', 'PTQLoop', 'QATEpochBasedLoop', 'QATValLoop'],
        'LOOPS',
    ),
}


class _AbsentPath(list[str]):
    """The empty ``__path__`` of an absent module: marks it, and says why."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    def refusal(self, name: str) -> str:
        """Word the error for whoever asks for ``name``."""
        return (
            f'{name} is absent: torch >= 2.0 removed names that the '
            'quantization half of MMRazor needs. Distillation is not '
            'affected. To quantize, use MMRazor with torch 1.13. '
            f'(The import ended with {self.reason})'
        )


class _StandIn:
    """Base of absent classes: to build one raises its docstring."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ImportError(self.__doc__)


def _make_absent(module: ModuleType, reason: str) -> None:
    """Empty a module that cannot be run: to use a name of it explains why.

    Importing the name raises ImportError (by :class:`MMRazorFinder`), reading
    it AttributeError, and ``from module import *`` brings nothing.
    """
    prefix, path = f'{module.__name__}.', _AbsentPath(reason)

    def refuse(name: str) -> Any:
        raise AttributeError(path.refusal(prefix + name))

    for name in [name for name in sys.modules if name.startswith(prefix)]:
        del sys.modules[name]
    for name in [name for name in vars(module) if name[:2] != '__']:
        delattr(module, name)
    vars(module).update(__path__=path, __all__=[], __getattr__=refuse)
    registries = importlib.import_module('mmrazor.registry')
    for name, registry in _QUANTIZATION[module.__name__].items():
        refusal = path.refusal(prefix + name)
        body = {'__module__': module.__name__, '__doc__': refusal}
        cls = type(name, (_StandIn,), body)
        setattr(module, name, cls)
        getattr(registries, registry).register_module(
            name=name, module=cls, force=True
        )


def _run_or_make_absent(loader: Loader, module: ModuleType) -> None:
    """Run a quantization module; where that is not possible, empty it."""
    if module.__name__ != _KEYSTONE:
        path = vars(importlib.import_module(_KEYSTONE)).get('__path__')
        if isinstance(path, _AbsentPath):
            return _make_absent(module, path.reason)
    try:
        loader.exec_module(module)
    except (ImportError, AttributeError) as error:  # a missing name is either
        _make_absent(module, f'{type(error).__name__}: {error}')


def _run_past_gate(loader: Loader, module: ModuleType) -> None:
    """Run ``mmrazor/__init__``; a *newer* mmcv, and no older one, may pass.

    All that the file defines stands above the gate, except for ``__all__``.
    """
    try:
        loader.exec_module(module)
    except AssertionError:
        scope = vars(module)
        newest = scope.get('mmcv_maximum_version')
        if newest is None or scope['mmcv_version'] <= digit_version(newest):
            raise
        scope['__all__'] = ['__version__', 'digit_version']


def _soft_cross_entropy(*args: Any, **kwargs: Any) -> Any:
    """Call mmpretrain's function of that name, imported when first needed."""
    losses = importlib.import_module('mmpretrain.models.losses')
    return losses.cross_entropy_loss.soft_cross_entropy(*args, **kwargs)


def _run_with_mmpretrain(loader: Loader, module: ModuleType) -> None:
    """Run ``kd_soft_ce_loss``; replace its placeholder for mmcls, if any."""
    loader.exec_module(module)
    scope = vars(module)
    if isinstance(scope.get('soft_cross_entropy'), type):
        scope['soft_cross_entropy'] = _soft_cross_entropy


_RUNNERS: dict[str, Callable[[Loader, ModuleType], None]] = {
    'mmrazor': _run_past_gate,
    'mmrazor.models.losses.kd_soft_ce_loss': _run_with_mmpretrain,
    **{name: _run_or_make_absent for name in _QUANTIZATION},
}


class _RepairingLoader(Loader):
    """Runs a module with its repair, and gives it back to its own loader."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        _RUNNERS[module.__name__](self.loader, module)


class MMRazorFinder(MetaPathFinder):
    """Finds just the modules that need a repair, where they would be found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: Any = None
    ) -> ModuleSpec | None:
        """Wrap the loader that other finders name; refuse what is absent."""
        if isinstance(path, _AbsentPath):
            raise ImportError(path.refusal(fullname), name=fullname)
        if fullname not in _RUNNERS:
            return None
        for finder in [f for f in sys.meta_path if f is not self]:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _RepairingLoader(spec.loader)
                return spec
        return None


def install() -> None:
    """Put the repairs in place, once; importing this module does so."""
    present = {type(finder).__name__ for finder in sys.meta_path}
    if MMRazorFinder.__name__ not in present:
        sys.meta_path.insert(0, MMRazorFinder())
    names = (MODULE2PACKAGE['mmseg'], 'onedl-mmsegmentation', 'mmseg')
    MODULE2PACKAGE['mmseg'] = next(filter(is_installed, names), names[0])


install()
