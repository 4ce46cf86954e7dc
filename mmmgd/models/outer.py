"""An outer model that passes on to the student what it does not have."""

from abc import ABCMeta
from typing import Any

from mmengine.model import BaseModel

STUDENT = 'student.'


class _Complete(ABCMeta):
    """Tells an object when its construction, a subclass's too, is over."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        model = super().__call__(*args, **kwargs)
        vars(model)['_complete'] = True
        return model


class OuterModel(BaseModel, metaclass=_Complete):
    """Passes attributes that it does not have on to the student.

    Hooks of the codebases reach into the model: ``model.bbox_head.use_l1``,
    ``model.head.loss_module = …``, ``model.set_epoch(…)``. What both have, and
    what is written while a model is constructed, is this model's own; every
    other attribute is read from and written to the module ``student``.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            student = vars(self).get('_modules', {}).get('student')
            # Double underscores: Python asks whether it may copy or pickle.
            if name.startswith('__') or not hasattr(student, name):
                raise
            return getattr(student, name)

    def __setattr__(self, name: str, value: Any) -> None:
        own = vars(self)
        if (
            not own.get('_complete')
            or name in own
            or hasattr(type(self), name)
            or any(
                name in own[part]
                for part in ('_modules', '_parameters', '_buffers')
            )
        ):
            super().__setattr__(name, value)
        else:
            setattr(self.student, name, value)
