"""What reads each part of a config: a class by its `type`, or MMEngine."""

import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from importlib import import_module
from typing import Any

from mmengine import registry as registries
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIMIZERS, Registry
from mmengine.runner import (
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    Runner,
    TestLoop,
    ValLoop,
)
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from .keys import offer

# Where the classes of a section are registered.
REGISTRIES = {
    'model data_preprocessor tta_model': 'MODELS TASK_UTILS '
    'WEIGHT_INITIALIZERS',
    'train_dataloader val_dataloader test_dataloader tta_pipeline': 'DATASETS '
    'DATA_SAMPLERS TRANSFORMS FUNCTIONS',
    'val_evaluator test_evaluator': 'METRICS EVALUATOR',
    'optim_wrapper': 'OPTIMIZERS OPTIM_WRAPPERS OPTIM_WRAPPER_CONSTRUCTORS',
    'param_scheduler': 'PARAM_SCHEDULERS',
    'default_hooks custom_hooks': 'HOOKS TRANSFORMS',  # which some switch
    'train_cfg val_cfg test_cfg': 'LOOPS',
    'visualizer': 'VISUALIZERS VISBACKENDS',
    'log_processor': 'LOG_PROCESSORS',
}


def _env(
    cudnn_benchmark: bool,
    mp_cfg: dict,
    dist_cfg: dict,
    resource_limit: int,
) -> None: ...


def _workers(mp_start_method: str, opencv_num_threads: int) -> None: ...


def _scale_lr(enable: bool, base_batch_size: int) -> None: ...


def _randomness(
    seed: int | None, diff_rank_seed: bool, deterministic: bool
) -> None: ...


def _paramwise(
    bias_decay_mult: float,
    bias_lr_mult: float,
    bypass_duplicate: bool,
    custom_keys: dict,
    dcn_offset_lr_mult: float,
    dwconv_decay_mult: float,
    flat_decay_mult: float,
    norm_decay_mult: float,
) -> None: ...


def _custom_key(lr_mult: float, decay_mult: float, **others: Any) -> None: ...


def _loader(
    dataset: dict,
    sampler: dict,
    batch_sampler: dict | None,
    batch_size: int,
    num_workers: int,
    persistent_workers: bool,
    pin_memory: bool,
    drop_last: bool,
    collate_fn: dict | Callable,
    worker_init_fn: dict,
    num_batch_per_epoch: int,
    prefetch_factor: int | None,
    timeout: float,
    **others: Any,
) -> None: ...


# Dicts without a `type`. The signatures say which keys are read, and of what
# kind they are.
SECTIONS: dict[str, Any] = {
    '': Runner,
    'train_dataloader': _loader,
    'val_dataloader': _loader,
    'test_dataloader': _loader,
    'val_cfg': ValLoop,
    'test_cfg': TestLoop,
    'optim_wrapper': OptimWrapper,
    'randomness': _randomness,
    'env_cfg': _env,
    'env_cfg.mp_cfg': _workers,
    'auto_scale_lr': _scale_lr,
    'optim_wrapper.paramwise_cfg': _paramwise,
}
# Those of which MMEngine ignores every other key, or minds it late.
CLOSED = {_env, _workers, _scale_lr, _paramwise, _randomness}
CLOSED |= {clip_grad_norm_, clip_grad_value_}


def readers(cfg: Mapping, path: tuple[str, ...], part: Mapping) -> list[Any]:
    """Return what may read a part of a config: functions or classes.

    Args:
        cfg: The whole config.
        path: Where the part is in it.
        part: A dict; its ``_scope_`` is where its `type` is looked for first.
    """
    name = '.'.join(path)
    if name == 'optim_wrapper.clip_grad':
        by_value = part.get('type') == 'value'
        return [clip_grad_value_ if by_value else clip_grad_norm_]
    if 'type' in part:
        return _classes(path[0] if path else '', part)
    if name == 'train_cfg':
        by_epoch = part.get('by_epoch')
        return [EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop]
    if 'paramwise_cfg' in path and 'constructor' in cfg[path[0]]:
        return []  # which has keys of its own
    if path[:-1] == ('optim_wrapper', 'paramwise_cfg', 'custom_keys'):
        return [_custom_key]
    return [SECTIONS[name]] if name in SECTIONS else []


def _classes(section: str, part: Mapping) -> list[Any]:
    """Return what registries have under the name of a `type`."""
    kind = part['type']
    if not isinstance(kind, str):
        return [kind] if inspect.isclass(kind) else []
    scope, _, name = kind.rpartition('.')
    if scope == 'mmrazor' and 'mmmgd.compat' not in sys.modules:
        return []  # cannot be imported
    names = [v for k, v in REGISTRIES.items() if section in k.split()]
    found = [
        _find(getattr(registries, one), scope or part.get('_scope_'), name)
        for one in ' '.join(names).split()
    ]
    return [cls for cls in found if cls is not None]


def _find(registry: Registry, scope: str | None, name: str) -> Any:
    """Look for a name in the registry of a scope, then in those above it."""
    # What packages print while they are imported is no part of a report.
    with suppress(ImportError), redirect_stdout(sys.stderr):
        if scope:  # what is missing, building will tell
            import_module(f'{scope}.registry')
        node: Any = registry.children.get(scope, registry)
        while node is not None:
            node.import_from_location()
            if name in node.module_dict:
                return node.module_dict[name]
            node = node.parent
    return None


def check_optimizer(kind: Any) -> None:
    """Refuse an optimizer of which no registry knows: MMEngine names none."""
    if isinstance(kind, str) and '.' not in kind:
        raise ValueError(
            'Expected optim_wrapper.optimizer.type to name an optimizer, but '
            f'no registry has {kind!r}.{offer(kind, OPTIMIZERS.module_dict)}'
        )
