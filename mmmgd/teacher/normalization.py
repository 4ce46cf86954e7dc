"""Convert a batch normalised for one model to that of another."""

from collections.abc import Sequence
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


def _numbers(values: Tensor | None, default: float) -> tuple[float, ...]:
    """Return a setting as numbers, one where all channels have the same."""
    if values is None:
        return (default,)
    numbers = tuple(values.flatten().tolist())
    return numbers[:1] if len(set(numbers)) == 1 else numbers
