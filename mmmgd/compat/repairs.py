"""The repair of each MMRazor module; the package docstring says why.

A repair runs the module by its own loader, then corrects what it defined.
"""

import collections
import importlib
import sys
from collections.abc import Callable
from importlib.abc import Loader
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from mmengine.utils import digit_version

from .absent import AbsentPath, make_absent

# The part that fails on torch >= 2.0; the others are of no use without it.
_BASE = 'mmrazor.structures.quantization'

# Every module of the quantization half, with the names (and their registries)
# that other MMRazor files import from it.
_QUANTIZATION: dict[str, dict[str, str]] = {
    _BASE: {},
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

# MMEngine's function that sorts validation losses out of the predictions.
_LOSSES = '_update_losses'


def _run_or_make_absent(loader: Loader, module: ModuleType) -> None:
    """Run a quantization module, or make it absent if that fails."""
    classes = _QUANTIZATION[module.__name__]
    if module.__name__ != _BASE:
        path = vars(importlib.import_module(_BASE)).get('__path__')
        if isinstance(path, AbsentPath):
            return make_absent(module, path.reason, classes)
    try:
        loader.exec_module(module)
    except (ImportError, AttributeError) as error:  # a missing name is either
        make_absent(module, f'{type(error).__name__}: {error}', classes)


def _run_past_gate(loader: Loader, module: ModuleType) -> None:
    """Run ``mmrazor/__init__`` without its upper bound on mmcv.

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


def _run_with_any_dict(loader: Loader, module: ModuleType) -> None:
    """Run ``algorithms/base``, so that it searches plain dicts too."""
    from torch import nn

    loader.exec_module(module)
    if not isinstance(nn.Module()._modules, collections.OrderedDict):
        vars(module)['OrderedDict'] = dict


def _run_with_safe_reader(loader: Loader, module: ModuleType) -> None:
    """Run an algorithm that reads a teacher, with the safe reader in place."""
    from mmmgd.checkpoints.reading import guard_mmengine

    loader.exec_module(module)
    guard_mmengine()


def _run_iter(loop: Any, idx: int, data_batch: Any) -> None:
    """Validate one batch of the student, as MMRazor does the teacher's."""
    import torch
    from mmengine.runner import autocast

    runner, batch = loop.runner, dict(batch_idx=idx, data_batch=data_batch)
    runner.call_hook('before_val_iter', **batch)
    with torch.no_grad(), autocast(enabled=loop.fp16):
        outputs = runner.model.val_step(data_batch)
    loop.evaluator.process(data_samples=outputs, data_batch=data_batch)
    runner.call_hook('after_val_iter', outputs=outputs, **batch)


def _run_with_own_iter(loader: Loader, module: ModuleType) -> None:
    """Run ``distill_val_loop`` and give its loops their old step."""
    loader.exec_module(module)
    if hasattr(importlib.import_module('mmengine.runner.loops'), _LOSSES):
        for name in ('SingleTeacherDistillValLoop', 'SelfDistillValLoop'):
            vars(module)[name].run_iter = _run_iter


def _soft_cross_entropy(*args: Any, **kwargs: Any) -> Any:
    """Call mmpretrain's ``soft_cross_entropy``, imported on first use."""
    losses = importlib.import_module('mmpretrain.models.losses')
    return losses.cross_entropy_loss.soft_cross_entropy(*args, **kwargs)


def _run_with_mmpretrain(loader: Loader, module: ModuleType) -> None:
    """Run ``kd_soft_ce_loss`` with mmpretrain's function for mmcls's."""
    loader.exec_module(module)
    scope = vars(module)
    if isinstance(scope.get('soft_cross_entropy'), type):
        scope['soft_cross_entropy'] = _soft_cross_entropy


def _run_with_pack_inputs(loader: Loader, module: ModuleType) -> None:
    """Run ``formatting`` with mmpretrain's classes for mmcls's.

    It derives a class from it, so the names must be there while it runs.
    """
    names: dict[str, ModuleType] = {}
    if find_spec('mmcls') is None and find_spec('mmpretrain') is not None:
        new = importlib.import_module('mmpretrain.datasets.transforms')
        for path, content in {
            'mmcls.datasets.transforms.formatting': {
                'PackClsInputs': new.PackInputs,
                'to_tensor': new.formatting.to_tensor,
            },
            'mmcls.structures': {
                'ClsDataSample': importlib.import_module(
                    'mmpretrain.structures'
                ).DataSample
            },
        }.items():
            names[path] = ModuleType(path)
            vars(names[path]).update(content)
    sys.modules.update(names)
    try:
        loader.exec_module(module)
    finally:
        for path in names:
            del sys.modules[path]


_ALGORITHMS = 'mmrazor.models.algorithms'
RUNNERS: dict[str, Callable[[Loader, ModuleType], None]] = {
    'mmrazor': _run_past_gate,
    'mmrazor.datasets.transforms.formatting': _run_with_pack_inputs,
    'mmrazor.engine.runner.distill_val_loop': _run_with_own_iter,
    'mmrazor.models.losses.kd_soft_ce_loss': _run_with_mmpretrain,
    f'{_ALGORITHMS}.base': _run_with_any_dict,
    **{
        f'{_ALGORITHMS}.distill.configurable.{name}': _run_with_safe_reader
        for name in ('single_teacher_distill', 'datafree_distillation')
    },
    **{name: _run_or_make_absent for name in _QUANTIZATION},
}
