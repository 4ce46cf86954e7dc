"""Refuse configs that would silently train something else."""

import difflib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .counts import check_counts
from .model import is_distilled, is_ours

# The config of the plain student, in each work dir.
STUDENT_FILE = 'student.py'

# Keys of MMCV 1.x that MMEngine never reads, and what replaced them.
DEAD_KEYS = {
    'optimizer_config': 'optim_wrapper=dict(clip_grad=...)',
    'lr_config': 'param_scheduler',
    'momentum_config': 'param_scheduler',
    'runner': 'train_cfg=dict(max_epochs=...) or dict(max_iters=...)',
    'total_epochs': 'train_cfg=dict(max_epochs=...)',
    'checkpoint_config': 'default_hooks=dict(checkpoint=...)',
    'log_config': 'default_hooks=dict(logger=...)',
    'evaluation': 'val_cfg and val_evaluator',
    'workflow': 'train_cfg and val_cfg',
    'fp16': "optim_wrapper=dict(type='AmpOptimWrapper')",
    'data': 'train_dataloader, val_dataloader and test_dataloader',
    'optimizer': 'optim_wrapper=dict(optimizer=...)',
}


# How alike an unknown first key and an argument of the Runner are when the
# latter was meant: no config of mmdet, mmseg, mmpretrain has such a variable.
ALIKE = 0.85

# What the Runner and the tools read beside the Runner's own arguments.
BESIDE = {
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'strategy',
    'sync_bn',
    'tta_model',
    'tta_pipeline',
}
# The hooks that a Runner has by name; others have the names of their user.
DEFAULT_HOOKS = {
    'checkpoint',
    'logger',
    'param_scheduler',
    'runtime_info',
    'sampler_seed',
    'timer',
}

# Wrappers of a model that take its parameters apart.
SHARDED = {'FullyShardedDataParallel', 'MMFullyShardedDataParallel'}


def check_config(cfg: Config) -> None:
    """Refuse a config that would silently train something else.

    Raises:
        ValueError: If nobody reads a key, a value is of another kind than its
            reader asks for, DistillHook is missing, the model would be
            sharded, or the name of the file is taken.
    """
    from .kinds import check_kinds  # imports the Runner

    _check_first(cfg)
    check_counts(cfg)
    check_kinds(cfg)
    if dead := dead_keys(cfg):
        raise ValueError(
            f'The config sets {dead[0]!r}, a key of MMCV 1.x that MMEngine '
            'never reads: its effect would be silently off. Write '
            f'{DEAD_KEYS[dead[0]]} instead, and remove {dead[0]!r} (or set it '
            'to None where a base config brings it).'
        )
    if is_distilled(cfg) and not any(is_ours(h) for h in _hooks(cfg)):
        raise ValueError(
            "The model is mmmgd.MGDDistill, but the config has no 'mmmgd."
            "DistillHook', so files would hold more than the student. Add "
            "default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))."
        )
    if is_distilled(cfg) and (what := _sharded(cfg)):
        raise ValueError(sharded_text(what))
    if is_distilled(cfg) and Path(cfg.filename or '').name == STUDENT_FILE:
        # MMEngine copies the config into the work dir, under its own name.
        raise ValueError(
            f'Expected another name than {STUDENT_FILE} of a distillation '
            'config: each work dir keeps the plain student under that name. '
            f'Rename {cfg.filename!r}, e.g. to my_distill.py.'
        )


def drop_absent_hooks(cfg: Config) -> None:
    """Leave out hooks that a config sets to None, as it may its base's.

    MMEngine lets so be left out its own alone.
    """
    hooks = cfg.get('default_hooks')
    if isinstance(hooks, dict):
        for name in [n for n, hook in hooks.items() if hook is None]:
            if name not in DEFAULT_HOOKS:
                del hooks[name]


def first_keys() -> set[str]:
    """Return the keys at the top of a config that somebody reads."""
    from mmengine.runner import Runner

    return {*inspect.signature(Runner.__init__).parameters} | BESIDE


def _check_first(cfg: Config) -> None:
    """Refuse a name that looks like one that the Runner reads."""
    known = first_keys()
    hooks = cfg.get('default_hooks')
    named = hooks if isinstance(hooks, Mapping) else ()
    for path, names, right, alike in (
        # A tta_pipeline, which only a test reads, is like any other.
        ('', cfg, known - {'tta_pipeline'}, ALIKE),
        ('default_hooks.', named, DEFAULT_HOOKS, ALIKE - 0.05),
    ):
        for key in set(names) - known - DEFAULT_HOOKS:
            close = difflib.get_close_matches(key, right, 1, alike)
            # val_evaluator_2 is a variable, val_evaluators is a mistake.
            if close and not key.startswith(f'{close[0]}_'):
                raise ValueError(
                    f'The config sets {path + key!r}, which nobody reads. Did '
                    f'you mean {close[0]!r}? If not, give it another name.'
                )


def sharded_text(what: str) -> str:
    """Say why the parameters of the student cannot be taken apart."""
    return (
        f'Expected a Runner on one device or with DDP, but got {what}. FSDP '
        'and DeepSpeed take parameters apart: the teacher, which is no part '
        'of the model, would stay behind, and files would not hold the plain '
        'student. Remove `runner_type`, `strategy` and `model_wrapper_cfg`. '
        "For memory: type='AmpOptimWrapper', with_cp in the student's "
        "backbone, dtype='bfloat16' of the teacher."
    )


def _sharded(cfg: Config) -> str:
    """Name what would take the parameters apart; '' if nothing does."""
    wrapper = cfg.get('model_wrapper_cfg') or {}
    if str(wrapper.get('type')).rpartition('.')[2] in SHARDED:
        return f'model_wrapper_cfg={wrapper["type"]!r}'
    if cfg.get('runner_type', 'Runner') != 'Runner':
        return f'runner_type={cfg.runner_type!r}'
    strategy = cfg.get('strategy')
    return f'strategy={strategy.get("type")!r}' if strategy else ''


def dead_keys(cfg: Config) -> list[str]:
    """Return the keys of MMCV 1.x that a config sets and nobody reads."""
    return [key for key in DEAD_KEYS if _is_dead(cfg, key)]


def _is_dead(cfg: Config, key: str) -> bool:
    value = cfg.get(key)
    if value is None:
        return False
    if key == 'optimizer':
        # mmseg defines it as a variable and hands it to optim_wrapper.
        return 'optimizer' not in (cfg.get('optim_wrapper') or {})
    if key == 'data':
        return isinstance(value, dict) and bool(
            {'samples_per_gpu', 'workers_per_gpu', 'train'} & set(value)
        )
    return True


def _hooks(cfg: Config) -> list[Any]:
    default = (cfg.get('default_hooks') or {}).values()
    return [*default, *(cfg.get('custom_hooks') or [])]
