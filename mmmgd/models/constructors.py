"""Let optimizer constructors see the student under its own names.

Layer decay reads names (``backbone.stages.2``) and asks the model for its
``backbone`` or ``get_layer_depth``. MMEngine hands it the outer model.
"""

import copy
from functools import wraps
from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn


def show_student_to_constructors(kind: type) -> None:
    """Let constructors that name parameters see the student of this model.

    Changes MMEngine's base class, once in a process. For other models, and
    for the default constructor, whose keys match anywhere in a name, nothing
    changes.

    Args:
        kind: The class of the outer model; see :func:`as_student`.
    """
    base: Any = DefaultOptimWrapperConstructor
    original = base.__call__
    if hasattr(original, '__wrapped__'):
        return

    @wraps(original)
    def build(self: Any, model: nn.Module) -> Any:
        inner = getattr(model, 'module', model)
        own = type(self).add_params is not base.add_params
        if own and isinstance(inner, kind):
            model = as_student(inner)
        return original(self, model)

    base.__call__ = build


def as_student(model: Any) -> nn.Module:
    """Return the student with the connectors as one more part, ``terms``.

    Parameters are shared, and come in the order of the outer model.
    """
    view = copy.copy(model.student)
    view._modules = view._modules.copy()
    view._modules['terms'] = model.terms
    return view
