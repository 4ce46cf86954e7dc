"""Arguments of MGDDistill that could not mean anything, said kindly."""

import difflib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.logging import MessageHub

from .teacher import Teacher

# What MGDDistill itself gives to the teacher.
OURS = {'self', 'points', 'parts'}


def check_arguments(
    student: Any, teacher: Any, distill: Any, inherit: Any
) -> None:
    """Refuse what is not of the right kind, before anything is built.

    Raises:
        ValueError: Naming the key.
    """
    for name, value in (('student', student), ('teacher', teacher),
                        ('distill', distill)):  # fmt: skip
        if not isinstance(value, Mapping):
            raise ValueError(
                f'Expected `{name}` to be a dict, but got {value!r}.'
                + f" Write dict(config={value!r}, checkpoint='…')."
                * (name == 'teacher')
            )
    if 'type' not in student:
        raise ValueError(
            'Expected `student` to be the model of a config, with its `type`, '
            f'but got the keys {sorted(student)}. Write '
            'student=_base_.model.'
        )
    known = inspect.signature(Teacher.__init__).parameters.keys() - OURS
    check_keys('teacher', teacher, known, needed={'config'})
    if not distill:
        raise ValueError(
            'Expected `distill` to name at least one loss, but got {}. '
            'To train the plain student, use its own config.'
        )
    if isinstance(inherit, str) or inherit is None:
        raise ValueError(
            f'Expected `inherit` to be a list of parts, but got {inherit!r}. '
            f'Write {[inherit] if inherit else []!r}.'
        )


def check_keys(
    name: str, cfg: Mapping, known: Iterable[str], needed: Iterable[str]
) -> None:
    """Refuse a dict with keys that nobody reads, or without one of these."""
    known = sorted(known)
    if not isinstance(cfg, Mapping):
        raise ValueError(
            f'Expected {name} to be a dict with the keys {", ".join(known)}, '
            f'but got {cfg!r}.'
        )
    for key in cfg:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            raise ValueError(
                f'Expected the keys {", ".join(known)} in {name}, but got '
                f'{key!r}.' + f' Did you mean {close[0]!r}?' * bool(close)
            )
    for key in needed:
        if key not in cfg:
            raise ValueError(
                f'Expected {key!r} in {name}, but got only {sorted(cfg)}.'
            )


def check_module_cfg(name: str, cfg: Any) -> None:
    """Refuse what is no config of a module."""
    if not isinstance(cfg, Mapping) or 'type' not in cfg:
        raise ValueError(
            f"Expected {name} to be a dict with a `type`, such as dict(type='"
            f"mmmgd.MGDLoss', loss_weight=2e-5), but got {cfg!r}."
        )


def check_finite(teacher: Teacher) -> None:
    """Refuse a teacher whose own training had diverged."""
    for name, tensor in teacher.module.state_dict().items():
        if not tensor.isfinite().all():
            raise ValueError(
                f'Expected finite weights of the teacher, but {name!r} in '
                f'{teacher.checkpoint!r} is not: its training had diverged. '
                'Take an earlier file of it (teacher.checkpoint).'
            )


def check_hooked() -> None:
    """Refuse to begin a Runner's training without DistillHook.

    Nothing of the hook runs then, so that this is said here: a Runner tells
    the message hub its config before it initialises the weights. Outside of a
    Runner no hook is needed.

    Raises:
        RuntimeError: If the config trains MGDDistill and names no such hook.
    """
    cfg = str(MessageHub.get_current_instance().get_info('cfg', ''))
    if 'MGDDistill' in cfg and 'DistillHook' not in cfg:
        raise RuntimeError(
            'The model is mmmgd.MGDDistill, but no mmmgd.DistillHook ran: '
            'files would hold more than the student, and nothing would be '
            "checked. Add default_hooks = dict(distill=dict(type='mmmgd."
            "DistillHook')) to the config."
        )
