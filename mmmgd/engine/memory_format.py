"""Store the maps of a model with the channels last."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

VECTOR = 16  # float32 numbers in the widest vector of a processor


def channels_last(model: Any) -> None:
    """Convert a model, all but what would read such maps wrongly.

    On a CPU the gradient of a 1x1 convolution with a stride, from fewer
    channels than a vector holds, writes past its buffer in this format
    (oneDNN, issue 6035): the process crashes, or the gradient is wrong. Those
    read their maps in the usual format, and so do the operators of mmcv.

    Args:
        model: With its weights; one that was converted stays as it is.
    """
    model.to(memory_format=torch.channels_last)
    for module in model.modules():
        if _breaks(module):
            module.weight.data = _usual(module.weight.data)
            if _read_usual not in module._forward_pre_hooks.values():
                module.register_forward_pre_hook(_read_usual)
    guard_mmcv()


def _breaks(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.weight.device.type == 'cpu'
        and module.kernel_size == (1, 1)
        and max(module.stride) > 1
        and module.in_channels // module.groups < VECTOR
    )


def _read_usual(module: nn.Module, args: tuple[Tensor]) -> Tensor:
    return _usual(args[0])


def _usual(x: Tensor) -> Tensor:
    # `contiguous()` leaves the strides of sides of length 1, and torch takes
    # the format of map and kernel from those, too.
    return x.clone(memory_format=torch.contiguous_format)


def guard_mmcv() -> None:
    """Let the operators of mmcv read each map in the usual format.

    RoIAlign and modulated deformable convolution take the memory as it lies,
    without a look at the strides: with the channels last they return other
    numbers, and say nothing (OneDL's mmcv 2.3.6, on a CPU). Plain deformable
    convolution refuses it. This holds for the process, and copies only maps
    that lie in another order.
    """
    # An operator that a model uses was imported when the model was built.
    for name, module in [*sys.modules.items()]:
        if not name.startswith('mmcv.ops.'):
            continue
        for kind in [*vars(module).values()]:
            if isinstance(kind, type) and issubclass(kind, Function):
                _guard(kind)


def _guard(kind: Any) -> None:
    for name in ('forward', 'backward'):
        inner = vars(kind).get(name)
        if isinstance(inner, staticmethod) and not hasattr(inner, 'guarded'):
            outer: Any = staticmethod(_of_usual_maps(inner.__func__))
            outer.guarded = True
            setattr(kind, name, outer)


def _of_usual_maps(inner: Callable) -> Callable:
    @wraps(inner)
    def outer(ctx: Any, *args: Any) -> Any:
        return inner(
            ctx,
            *(
                x.contiguous() if isinstance(x, Tensor) and x.ndim == 4 else x
                for x in args
            ),
        )

    return outer
