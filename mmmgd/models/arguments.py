"""Refuse arguments of MGDDistill that have no meaning."""

import inspect
from collections.abc import Mapping
from typing import Any

from mmengine.logging import MessageHub

from mmmgd.config import check_keys, teacher_configs
from mmmgd.teacher.teacher import Teacher

from .lookup import check_keys_of, class_of

# Arguments of Teacher that MGDDistill gives, not the config.
NOT_IN_CONFIG = {'self', 'points', 'parts', 'image', 'written'}


def check_arguments(
    student: Any, teacher: Any, distill: Any, inherit: Any, unknown: Any
) -> None:
    """Refuse what is not of the right kind, before anything is built.

    Raises:
        ValueError: Naming the key.
    """
    parts = dict(student=student, teacher=teacher, distill=distill)
    known = [*parts, 'inherit', 'data_preprocessor', 'image_size']
    _check_unknown(unknown, known, student)
    for name, value in parts.items():
        if not isinstance(value, Mapping):
            hint = f" Write dict(config={value!r}, checkpoint='…')."
            raise ValueError(
                f'Expected `{name}` to be a dict, but got {value!r}.'
                + (hint if name == 'teacher' else '')
            )
    if 'type' not in student:
        raise ValueError(
            'Expected `student` to be the model of a config, with its `type`, '
            f'but got the keys {sorted(student)}. Write '
            'student=_base_.model.'
        )
    _check_teachers(teacher)
    if not distill:
        raise ValueError(
            'Expected `distill` to name at least one loss, but got {}. '
            'To train the plain student, use its own config.'
        )
    for name, term in distill.items():
        _check_term(f'distill.{name}', term)
    lists = inherit.values() if isinstance(inherit, Mapping) else [inherit]
    if any(isinstance(x, str) or x is None for x in lists):
        raise ValueError(
            f'Expected `inherit` to be a list of parts, but got {inherit!r}. '
            f'Write {[inherit] if inherit else []!r}.'
        )


def _check_teachers(teacher: Mapping) -> None:
    """Refuse arguments that no teacher has."""
    known = (
        inspect.signature(Teacher.__init__).parameters.keys() - NOT_IN_CONFIG
    )
    for name, cfg in teacher_configs(teacher).items():
        where = f'teacher.{name}' if name else 'teacher'
        check_keys(where, cfg, known, needed={'config'})


def _check_unknown(unknown: Mapping, known: list[str], student: Any) -> None:
    """Refuse further arguments of MGDDistill."""
    inner = student if isinstance(student, Mapping) else {}
    merged = [key for key in unknown if key in inner]
    if merged:
        raise ValueError(
            f'Expected the keys {", ".join(known)} in the model, but got '
            f'{", ".join(map(repr, merged))}, too: the base config merges its '
            'own model into this one. Write model = dict(_delete_=True, …).'
        )
    check_keys('the model', unknown, known)


def _check_term(name: str, term: Any) -> None:
    """Refuse an entry whose loss or connector is not a known config."""
    if not isinstance(term, Mapping):
        raise ValueError(f'Expected {name} to be a dict, but got {term!r}.')
    for key in ('loss', 'connector'):
        cfg = term.get(key)
        if cfg is None and (key == 'connector' or key not in term):
            continue
        if not isinstance(cfg, Mapping) or 'type' not in cfg:
            raise ValueError(
                f'Expected {name}.{key} to be a dict with a `type`, such as '
                f"dict(type='mmmgd.MGDLoss', loss_weight=2e-5), but got "
                f'{cfg!r}.'
            )
        cls = class_of(cfg, f'{name}.{key}')
        check_keys_of(cls, f'{name}.{key}', cfg)


def runner_trains() -> bool:
    """Whether a Runner is in its training loop, by its message hub."""
    hub = MessageHub.get_current_instance()
    return hub.get_info('loop_stage') == 'train'


def check_hooked() -> None:
    """Refuse a Runner's training in which no DistillHook takes part.

    Outside of a Runner no hook is needed.

    Raises:
        RuntimeError: If a Runner is in its training loop.
    """
    if not runner_trains():
        return
    MessageHub.get_current_instance().pop_info('loop_stage')  # it ends here
    raise RuntimeError(
        'The model is mmmgd.MGDDistill, but no mmmgd.DistillHook ran: files '
        'would hold more than the student, and nothing would be checked. Add '
        "default_hooks = dict(distill=dict(type='mmmgd.DistillHook')) to the "
        'config.'
    )
