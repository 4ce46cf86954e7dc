"""Run a frozen model in a shorter data type, or compiled.

Neither is exact, so both are options of :class:`Teacher`.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmmgd.ops import has_bfloat16
from mmmgd.points.paths import split_point

DTYPES = ('float32', 'bfloat16', 'float16')


class Precision:
    """The type in which a pass multiplies, as autocast does it.

    Weights stay as they are, and what autocast keeps in float32 does.

    Args:
        dtype: One of :data:`DTYPES`, or the type itself. None leaves it to
            the surrounding autocast, if there is one.

    Raises:
        ValueError: If it is none of these.
    """

    def __init__(self, dtype: str | torch.dtype | None) -> None:
        name = str(dtype).removeprefix('torch.')
        if dtype is not None and name not in DTYPES:
            raise ValueError(
                f"Expected the teacher's `dtype` to be one of {DTYPES} or "
                f'None, but got {dtype!r}.'
            )
        self.dtype = None if dtype is None else getattr(torch, name)
        self._warned = False

    def context(
        self, device: torch.device
    ) -> contextlib.AbstractContextManager:
        """Return the context in which to run the pass."""
        if self.dtype is None:
            return contextlib.nullcontext()
        if self.dtype == torch.float32:
            return torch.autocast(device.type, enabled=False)
        self._warn(device)
        return torch.autocast(device.type, dtype=self.dtype)

    def restore(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return features in float32 if a type was asked for."""
        if self.dtype is None:
            return features
        return {point: feature.float() for point, feature in features.items()}

    def _warn(self, device: torch.device) -> None:
        if device.type == 'cpu' and not has_bfloat16() and not self._warned:
            self._warned = True
            print_log(
                f"The teacher's dtype={self.dtype} is emulated on this CPU, "
                'which has no instructions for it: much slower than float32. '
                'Leave `dtype` out here.',
                logger='current',
                level=30,
            )


class Compiler:
    """``torch.compile`` of the parts of a model that lie between its points.

    A part is the largest module that holds no point inside, so that hooks at
    points, and the end of the pass at the last one, stay outside of what is
    compiled. Weights are frozen: folded into each other where possible (BN
    into convolutions). They must not change after the first pass.

    Args:
        module: The model.
        points: Its points.
        modules: Names of its modules that take part in the pass.
    """

    def __init__(
        self, module: nn.Module, points: Sequence[str], modules: set[str]
    ) -> None:
        names = {split_point(point)[0] for point in points}
        self._parts = [
            part for name, part in _parts(module, '', names) if name in modules
        ]
        self._active = False

    def start(self) -> None:
        """Compile when first called; what cannot be compiled says so then."""
        for part in self._parts:
            part.forward = _compiled(part.forward)
        self._active = True

    def renew(self) -> None:
        """Compile the parts of a copy anew: they run those of the original."""
        if self._active:
            for part in self._parts:
                del part.forward
            self.start()

    def stop(self, error: Exception) -> bool:
        """Go back to plain modules; say why. False if they were plain."""
        if not self._active:
            return False
        for part in self._parts:
            del part.forward
        self._active = False
        reason = (str(error).strip().splitlines() or [''])[0]
        print_log(
            f"The teacher's compile=True has no effect: torch.compile failed "
            f'({type(error).__name__}: {reason}). It runs uncompiled.',
            logger='current',
            level=30,
        )
        return True


def _compiled(forward: Callable) -> Callable:
    def run(*args: Any, **kwargs: Any) -> Any:
        return forward(*args, **kwargs)

    # The compiler allows a code object eight versions, and all layers of one
    # class share one: give each part its own.
    run.__code__ = run.__code__.replace()
    return torch.compile(run, options={'freezing': True})


def _parts(
    module: nn.Module, name: str, points: set[str]
) -> list[tuple[str, nn.Module]]:
    """Return the largest modules with no point inside, and their names."""
    prefix = f'{name}.' if name else ''
    if not any(True for _ in module.children()):
        return []  # one layer: nothing to join
    if name and not any(point.startswith(prefix) for point in points):
        return [(name, module)]
    return [
        part
        for child, inner in module.named_children()
        for part in _parts(inner, prefix + child, points)
    ]
