"""Whether the gradient of distillation reaches the student at all."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmmgd.models import MGDDistill


class GradientWatch:
    """Notes which pairs of points send a gradient other than 0.

    The gradient is taken at the student's feature, of distillation alone:
    the task's comes another way. No value changes by it, and nothing waits
    for the device before :meth:`silent` is asked.

    Args:
        model: The model, without its wrapper.
    """

    def __init__(self, model: MGDDistill) -> None:
        self._reached: dict[str, Tensor] = {}
        terms: Any = model.terms.values()
        self._handles = [h for term in terms for h in self._watch(term)]

    def silent(self) -> list[str]:
        """Return the names of losses whose gradient was 0 in every step."""
        return [name for name, any_ in self._reached.items() if not any_]

    def close(self) -> None:
        """Watch no longer."""
        for handle in self._handles:
            handle.remove()

    def _watch(self, term: Any) -> Iterator[RemovableHandle]:
        """Register hooks on what takes the features of the student."""
        takers = list(zip(term.log_names, term.connectors, strict=False))
        for name, module in takers or [(term.name, term.loss)]:
            branch = partial(self._branch, name)
            yield module.register_forward_pre_hook(branch)

    def _branch(self, name: str, module: nn.Module, args: Any) -> Any:
        """Give the taker a view of its own, whose gradient is seen."""
        feature, *others = args
        if not (torch.is_grad_enabled() and feature.requires_grad):
            return None
        nothing = torch.zeros((), dtype=torch.bool, device=feature.device)
        reached = self._reached.setdefault(name, nothing)
        branch = feature.view_as(feature)
        branch.register_hook(partial(_note, reached))
        return (branch, *others)


def _note(reached: Tensor, grad: Tensor) -> None:
    reached.logical_or_(grad.ne(0).any())  # nan is no 0
