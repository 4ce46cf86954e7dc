"""Let tools/train.py run up to its loop, without files and weights."""

import copy
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from functools import partial, partialmethod
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from descriptions import look
from mmdet.evaluation.metrics import coco_metric
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModule, PretrainedInit, initialize
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from small_models import classifier, distiller

import mmmgd.compat  # noqa: F401  # isort: skip  (mmrazor needs its repairs)

from mmrazor.models.algorithms.distill.configurable import (
    single_teacher_distill,
)

from mmmgd.config import is_distilled
from mmmgd.teacher import build
from mmmgd.teacher.teacher import Teacher

for package in ('mmdet', 'mmpretrain', 'mmseg'):
    import_module(f'{package}.datasets')


class Reached(BaseException):
    """The training would begin."""


def stand_ins(of_model: bool) -> ExitStack:
    """Patch away files, weights, and the loop.

    Args:
        of_model: Whether the model itself is built, not a small one.
    """
    real = Runner.build_model

    def build_model(self: Any, model: Any) -> Any:
        if of_model:
            with torch.device('meta'):
                return real(self, model)
        small = distiller() if is_distilled(self.cfg) else classifier()
        return real(self, dict(copy.deepcopy(small), _scope_='mmpretrain'))

    def reach(loop: Any) -> None:
        raise Reached(look(loop.runner))

    stack = ExitStack()
    for owner, name, stand_in in (
        (Runner, 'build_model', build_model),
        (Runner, 'wrap_model', lambda self, cfg, model: model),
        (torch, 'linspace', partial(torch.linspace, device='cpu')),
        (build, 'torch', SimpleNamespace(device=nullcontext)),
        (Teacher, 'load', partialmethod(_load, Teacher.load)),
        (single_teacher_distill, 'load_checkpoint', lambda *_, **kw: None),
        (Teacher, 'listen', lambda self, student: None),
        (Runner, '_init_model_weights', _initialise),
        (PretrainedInit, '__call__', lambda self, module: None),
        (coco_metric, 'get_local_path', lambda path, **kw: nullcontext(path)),
        (coco_metric, 'COCO', lambda path: None),
        (EpochBasedTrainLoop, 'run', reach),
        (IterBasedTrainLoop, 'run', reach),
        (BaseDataset, '__len__', lambda self: 64),
        *((cls, 'full_init', _no_files) for cls in _with_files()),
    ):
        stack.enter_context(mock.patch.object(owner, name, stand_in))
    return stack


def _load(teacher: Any, real: Callable) -> None:
    """Load no file, but refuse what is none."""
    if not (
        isinstance(teacher.checkpoint, str) or teacher.checkpoint is False
    ):
        real(teacher)


def _initialise(runner: Any) -> None:
    """Let each module be initialised as its config says, without loading."""
    for module in runner.model.modules():
        if getattr(type(module), 'init_weights', 0) != BaseModule.init_weights:
            continue  # in a way of its own, on weights
        cfg = copy.deepcopy(module.init_cfg) or []
        for one in cfg if isinstance(cfg, list) else [cfg]:
            initialize(module, one)


def _no_files(data: Any) -> None:
    data.data_list, data._fully_initialized = [{}] * 64, True


def _with_files() -> list[type]:
    every, found = [BaseDataset], []
    while every:
        cls = every.pop()
        every += cls.__subclasses__()
        found += [cls] if 'full_init' in vars(cls) else []
    return found
