"""Run a model once on a blank image, without changing it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from mmmgd.rng import isolated_rng

from .blank import blank_samples
from .hooked import hooked
from .image_size import Size


class PassEnded(BaseException):
    """Ends a forward pass after the last module that is needed.

    Not an ``Exception``, so that no model swallows it by accident.
    """


class Way(NamedTuple):
    """How a model is run.

    Attributes:
        mode: Mode of MMEngine's models: 'tensor', 'predict' or 'loss'.
        samples: Whether it is given data samples.
    """

    mode: str = 'tensor'
    samples: bool = False


TENSOR = Way()
# From the way that needs the least on. A student trains with labels anyway;
# a teacher sees the sizes that data samples have, but never uses a label.
WAYS = {
    'student': (TENSOR, Way('loss', True)),
    'teacher': (TENSOR, Way('tensor', True), Way('predict', True)),
}


def forward(
    model: nn.Module, inputs: Tensor, way: Way = TENSOR, samples: Any = None
) -> Any:
    """Run a model, by MMEngine's convention if it has one."""
    if not isinstance(model, BaseModel):
        return model(inputs)
    if way.samples:
        return model(inputs, samples, mode=way.mode)
    return model(inputs, mode=way.mode)


@contextmanager
def quiet(model: nn.Module, training: bool = False) -> Iterator[None]:
    """Restore the model and the random state after the block.

    Args:
        model: The model.
        training: Whether it runs as in training; batch normalisation does
            not, whose statistics one image would spoil.
    """
    flags = {m: m.training for m in model.modules()}
    buffers = [(b, b.clone()) for b in model.buffers() if training]
    model.train(training)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
    try:
        with isolated_rng(0):
            yield
    finally:
        for module, flag in flags.items():
            module.training = flag
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)


def run_blank(model: nn.Module, image: Size, way: Way = TENSOR) -> Any:
    """Run a model on one blank image of that size; see :func:`quiet`."""
    inputs = blank_image(model, image)
    samples = blank_samples(model, image) if way.samples else None
    with quiet(model, way.mode == 'loss'):
        return forward(model, inputs, way, samples)


def blank_image(model: nn.Module, image: Size) -> Tensor:
    """Return one image of zeros, (1, C, H, W), where the model is."""
    parameter = next(model.parameters())
    return parameter.new_zeros(1, input_channels(model, image), *image)


@torch.no_grad()
def input_channels(model: nn.Module, image: Size) -> int:
    """Return how many channels the images of a model have.

    That is the number of means of its preprocessor, else what its first
    convolution needs (which may see several pixels as channels, as in YOLOX).
    """
    preprocessor: Any = getattr(model, 'data_preprocessor', None)
    mean: Any = getattr(preprocessor, 'mean', None)
    if mean is not None and mean.numel() > 1:
        return mean.numel()
    found = [3]

    def hook(name: str, module: Any, args: tuple) -> None:
        found[0] = 3 * module.in_channels // args[0].shape[1]
        raise PassEnded

    convs = [x for x in model.named_modules() if isinstance(x[1], _ConvNd)]
    inputs = next(model.parameters()).new_zeros(1, 3, *image)
    # Of an error the pass itself will say more.
    with (
        suppress(PassEnded, Exception),
        hooked(convs, before=hook),
        quiet(model),
    ):
        forward(model, inputs)
    return found[0]
