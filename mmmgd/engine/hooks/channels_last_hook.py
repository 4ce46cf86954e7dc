"""Store feature maps with the channels last."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmmgd.engine.runner import model_of
from mmmgd.registry import HOOKS

VECTOR = 16  # float32 numbers in the widest vector of a processor


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Converts a model, and its teachers, to the channels-last format.

    Names, shapes, files and, up to rounding, all numbers stay as they are:
    sums are taken in another order. Convolutions on a CPU, and those in half
    precision on a GPU, are faster; docs/benchmarks.md has times. A model that
    calls ``view`` on a feature map refuses such maps with an error of torch.
    Under DDP, whose buckets were made before, torch warns and copies each
    gradient.

    For students without distillation as well::

        custom_hooks = [dict(type='mmmgd.ChannelsLastHook')]
    """

    def before_train(self, runner: Runner) -> None:
        """Convert what is trained, when it has its first weights.

        Random ones are drawn in the order of the memory: before, they would
        be others.
        """
        channels_last(model_of(runner))

    before_val = before_train
    before_test = before_train


def channels_last(model: Any) -> None:
    """Convert a model, all but the convolutions that could not be trained.

    On a CPU the gradient of a 1x1 convolution with a stride, from fewer
    channels than a vector holds, writes past its buffer in this format
    (oneDNN, issue 6035): the process crashes, or the gradient is wrong. Those
    read their maps in the usual format.

    Args:
        model: With its weights; one that was converted stays as it is.
    """
    model.to(memory_format=torch.channels_last)
    for module in model.modules():
        if _breaks(module):
            module.weight.data = _usual(module.weight.data)
            if _read_usual not in module._forward_pre_hooks.values():
                module.register_forward_pre_hook(_read_usual)


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
