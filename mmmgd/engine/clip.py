"""Clip the student's gradients by their own norm.

``clip_grad`` takes one norm of all that an optimizer holds. With connectors in
it, α would decide how far the student's own gradients are cut, and a logged
``grad_norm`` could not be compared with that of a plain run.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from torch import nn


def clip_apart(optim_wrapper: Any, others: nn.Module) -> None:
    """Clip the parameters of ``others`` by a norm of their own.

    Applies to what ``optim_wrapper.clip_grad`` of the config asks for, under
    any wrapper of MMEngine's kind; without it nothing is clipped.

    Args:
        optim_wrapper: Of the Runner, built or not.
        others: Holds the parameters that are not the student's.
    """
    if getattr(optim_wrapper, 'clip_grad_kwargs', None):
        clip = optim_wrapper.clip_func
        if getattr(clip, 'func', None) is _clip:
            clip = clip.args[0]  # of an earlier run of this optimizer
        optim_wrapper.clip_func = partial(
            _clip, clip, set(others.parameters())
        )


def _clip(
    clip: Callable, others: set, parameters: Iterable, **kwargs: Any
) -> Any:
    """Clip two groups of parameters; return the norm of the student's."""
    groups: tuple[list, list] = [], []
    for parameter in parameters:
        groups[parameter in others].append(parameter)
    norms = [clip(group, **kwargs) if group else None for group in groups]
    return norms[0]
