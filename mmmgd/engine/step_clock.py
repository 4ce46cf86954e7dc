"""Measure the share of a training step that teacher and connectors take."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mmmgd.models import MGDDistill


class StepClock:
    """Measures single steps; between them it costs nothing.

    On a GPU the steps that are measured wait for the device at each mark.

    Args:
        model: The model, without its wrapper.
    """

    def __init__(self, model: MGDDistill) -> None:
        self.model = model
        self.seconds: Any = Counter()
        self._marks: dict[Any, float] = {}
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to measure a step."""
        self.seconds.clear()
        for teacher in _teachers(self.model):
            self._time_teacher(teacher)
        terms: Any = self.model.terms.values()
        for connector in (c for term in terms for c in term.connectors):
            hooks = (
                connector.register_forward_pre_hook(self._enter),
                connector.register_forward_hook(self._leave),
            )
            self._undo += [hook.remove for hook in hooks]
        self._mark('step')

    def stop(self) -> dict[str, float]:
        """End the step; return the share of teacher and connectors."""
        self._add('step', 'step')
        for undo in self._undo:
            undo()
        self._undo.clear()
        whole = max(self.seconds['step'], 1e-9)
        return {k: self.seconds[k] / whole for k in ('teacher', 'connectors')}

    def _time_teacher(self, teacher: Any) -> None:
        inner = teacher.extract

        def extract(*args: Any, **kwargs: Any) -> Any:
            self._mark('teacher')
            features = inner(*args, **kwargs)
            self._add('teacher', 'teacher')
            return features

        teacher.extract = extract  # of this object only
        self._undo.append(lambda: delattr(teacher, 'extract'))

    def _enter(self, connector: nn.Module, args: tuple) -> tuple:
        """Mark the beginning forward, and the end backward."""
        key = 'backward', id(connector)
        feature = _Mark.apply(args[0], self._add, 'connectors', key)
        self._mark(('forward', id(connector)))
        return feature, *args[1:]

    def _leave(self, connector: nn.Module, args: tuple, output: Any) -> Any:
        """Mark the end forward, and the beginning backward."""
        self._add('connectors', ('forward', id(connector)))
        key = 'backward', id(connector)
        return _Mark.apply(output, self._mark, key)

    def _mark(self, key: Any) -> None:
        self._marks[key] = self._now()

    def _add(self, name: str, key: Any) -> None:
        if key in self._marks:
            self.seconds[name] += self._now() - self._marks.pop(key)

    def _now(self) -> float:
        if next(self.model.parameters()).is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter()


class _Mark(torch.autograd.Function):
    """Passes a tensor on, and calls a function in the backward pass."""

    @staticmethod
    def forward(ctx: Any, feature: Tensor, call: Callable, *words: Any) -> Any:
        ctx.call, ctx.words = call, words
        return feature.view_as(feature)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        ctx.call(*ctx.words)
        return grad, None, *(None for _ in ctx.words)


def _teachers(model: Any) -> list[Any]:
    """Return the teachers that still take part."""
    return [one for one in model.teachers.values() if one.loaded]
