"""The same image in the numbers that each of two models was trained on."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Normalization(NamedTuple):
    """How a data preprocessor turns pixels into a model's input.

    Attributes:
        flips_channels: Whether it swaps RGB and BGR before all else.
        mean: Subtracted from each channel; one number if all are the same.
        std: What the channels are then divided by, likewise.
        pad_value: What it writes beside the image afterwards.
    """

    flips_channels: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    pad_value: float

    def __str__(self) -> str:
        mean, std = (
            ', '.join(f'{x:.6g}' for x in values)
            for values in (self.mean, self.std)
        )
        order = 'channels swapped, ' if self.flips_channels else ''
        return f'{order}mean {mean}, std {std}, padded with {self.pad_value:g}'


# How MMEngine and mmdet, mmseg and mmpretrain name one setting.
FLIPS = ('_channel_conversion', 'channel_conversion', 'to_rgb')
# Batch augmentations that leave each image where it is.
IN_PLACE = {'BatchFixedSizePad'}


def normalization_of(preprocessor: nn.Module | None) -> Normalization | None:
    """Read a data preprocessor; None if there is none."""
    if preprocessor is None:
        return None
    mean: Any = getattr(preprocessor, 'mean', None)
    std: Any = getattr(preprocessor, 'std', None)
    pad_val: Any = getattr(preprocessor, 'pad_val', 0)  # mmseg 1.2
    return Normalization(
        any(getattr(preprocessor, name, False) for name in FLIPS),
        _numbers(mean, 0.0),
        _numbers(std, 1.0),
        float(getattr(preprocessor, 'pad_value', pad_val)),
    )


def renormalize(
    inputs: Tensor,
    image_sizes: Sequence[tuple[int, int]] | None = None,
    *,
    source: Normalization,
    target: Normalization,
) -> Tensor:
    """Turn a batch normalised for one model into that for another.

    Both preprocessors pad after they normalise, on the right and below, so
    what lies outside an image becomes the target's own padding.

    Args:
        inputs: Batch with shape (N, C, H, W), as `source` made it. Not
            changed.
        image_sizes: Height and width of each image without its padding. None
            means that nothing is padded.
        source: What the batch went through.
        target: What it should have gone through.
    """
    if source == target:
        return inputs
    mean, std = source.mean, source.std
    if source.flips_channels != target.flips_channels:
        inputs, mean, std = inputs.flip(1), mean[::-1], std[::-1]
    m_s, s_s, m_t, s_t = (
        torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)
        for values in (mean, std, target.mean, target.std)
    )
    scale, shift = s_s / s_t, (m_s - m_t) / s_t
    outputs = inputs * scale.to(inputs) + shift.to(inputs)
    for image, (height, width) in zip(
        outputs, image_sizes or (), strict=bool(image_sizes)
    ):
        image[:, height:] = target.pad_value
        image[:, :, width:] = target.pad_value
    return outputs


def input_adapter(
    student: nn.Module, teacher: nn.Module
) -> Callable[..., Tensor]:
    """Return the function that turns the student's batch into the teacher's.

    It is called as ``adapt(inputs, image_sizes)``. A teacher that states no
    normalisation takes what comes. Where the two differ, the student's
    preprocessor adds ``image_sizes`` to each training batch from now on.
    """
    preprocessor: Any = getattr(student, 'data_preprocessor', None)
    source = normalization_of(preprocessor)
    target = normalization_of(getattr(teacher, 'data_preprocessor', None))
    if source is None or target is None:
        source = target = Normalization(False, (0.0,), (1.0,), 0.0)
    if source != target:
        preprocessor.register_forward_hook(_note_sizes, with_kwargs=True)
    return partial(renormalize, source=source, target=target)


def _note_sizes(
    preprocessor: nn.Module, args: tuple, kwargs: dict, output: Any
) -> Any:
    """Add to a training batch the size of each image before padding.

    Labels have it only in some codebases, and not always right.
    """
    given = dict(zip(('data', 'training'), args, strict=False), **kwargs)
    if not given.get('training') or not isinstance(output, dict):
        return output
    sizes = [tuple(image.shape[-2:]) for image in given['data']['inputs']]
    if _moves_images(preprocessor):
        divisor = getattr(preprocessor, 'pad_size_divisor', 1)
        if len(set(sizes)) > 1 or any(x % divisor for x in sizes[0]):
            raise RuntimeError(
                'The teacher expects another input normalisation than the '
                'student. It cannot be given exactly here, because '
                '`data_preprocessor.batch_augments` mixes or resizes images '
                'that are already padded. Remove `batch_augments`, or give '
                "the student the teacher's data_preprocessor."
            )
        sizes = [tuple(output['inputs'].shape[-2:])] * len(sizes)
    return {**output, 'image_sizes': sizes}


def _moves_images(preprocessor: nn.Module) -> bool:
    augments: Any = getattr(preprocessor, 'batch_augments', None) or ()
    if not isinstance(augments, (nn.ModuleList, tuple)):
        augments = (augments,)
    return any(type(a).__name__ not in IN_PLACE for a in augments)


def _numbers(values: Tensor | None, default: float) -> tuple[float, ...]:
    """Return a setting as numbers, one where all channels have the same."""
    if values is None:
        return (default,)
    numbers = tuple(values.flatten().tolist())
    return numbers[:1] if len(set(numbers)) == 1 else numbers
