"""Whether two models expect the same numbers for the same image."""

from typing import Any, NamedTuple

from torch import nn


class Normalization(NamedTuple):
    """How a data preprocessor turns pixels into a model's input."""

    flips_channels: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]


# How MMEngine and mmdet, mmseg and mmpretrain name one setting.
FLIPS = ('_channel_conversion', 'channel_conversion', 'to_rgb')


def normalization_of(preprocessor: nn.Module | None) -> Normalization | None:
    """Read a data preprocessor; None if it normalises nothing."""
    mean: Any = getattr(preprocessor, 'mean', None)
    std: Any = getattr(preprocessor, 'std', None)
    if mean is None or std is None:
        return None
    return Normalization(
        any(getattr(preprocessor, name, False) for name in FLIPS),
        tuple(round(x, 4) for x in mean.flatten().tolist()),
        tuple(round(x, 4) for x in std.flatten().tolist()),
    )


def check_same_input(student: nn.Module, teacher: nn.Module) -> None:
    """Refuse a teacher that was trained on other inputs.

    It sees the student's normalised batch. A teacher that states no
    normalisation takes what comes.

    Raises:
        ValueError: If the two differ, naming both.
    """
    s = normalization_of(getattr(student, 'data_preprocessor', None))
    t = normalization_of(getattr(teacher, 'data_preprocessor', None))
    if t is not None and s != t:
        raise ValueError(
            "Expected the teacher's input normalisation to be the student's, "
            f'but the student has {s} and the teacher {t}. Its features would '
            'be meaningless. Choose a teacher of the same family (caffe-style '
            'and torchvision-style weights differ in this), or give the '
            "student the teacher's data_preprocessor."
        )
