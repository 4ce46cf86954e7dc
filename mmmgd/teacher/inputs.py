"""Convert the student's batch to a teacher's normalisation and size."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from mmmgd.points.image_size import Size, as_size

from .normalization import Normalization, normalization_of, renormalize

# Batch augmentations that leave each image where it is.
IN_PLACE = {'BatchFixedSizePad'}
Sizes = Sequence[Size]


class InputSize:
    """The size at which a teacher gets an image.

    Args:
        input_size: Height and width, or one number for both; None leaves the
            size alone.
        multiple_of: Goes to the nearest multiple of it, of height and width
            each; None leaves the size alone.

    Raises:
        ValueError: If one is no such number, or both are given.
    """

    def __init__(
        self,
        input_size: int | Sequence[int] | None = None,
        multiple_of: int | None = None,
    ) -> None:
        if input_size is not None and multiple_of is not None:
            raise ValueError(
                "Expected one of the teacher's `input_size` and `multiple_of`,"
                f' but got both: {input_size} and {multiple_of}.'
            )
        self.fixed, self.multiple = as_size(input_size), multiple_of
        if input_size is not None and self.fixed is None:
            raise ValueError(
                "Expected the teacher's `input_size` to be a number of pixels "
                f'or (height, width), but got {input_size!r}.'
            )
        number = type(multiple_of) is int and multiple_of > 0
        if multiple_of is not None and not number:
            raise ValueError(
                "Expected the teacher's `multiple_of` to be a number of "
                f'pixels, such as 14, but got {multiple_of!r}.'
            )

    def of(self, image: Size) -> Size:
        """Return the size for an image of that size."""
        if self.fixed is not None:
            return self.fixed
        if self.multiple is None:
            return image
        height, width = (
            max(1, round(x / self.multiple)) * self.multiple for x in image
        )
        return height, width


@dataclass(frozen=True)
class InputAdapter:
    """Turns the student's batch into a teacher's: numbers first, then size.

    Attributes:
        source: What the student's batch went through.
        target: What the teacher's should have gone through.
        size: The size at which the teacher gets it.
    """

    source: Normalization
    target: Normalization
    size: InputSize

    def __call__(
        self, inputs: Tensor, images: Sizes | None = None
    ) -> tuple[Tensor, Sizes | None]:
        """Return the teacher's batch and the sizes of its images.

        Padding stays padding: it has one value, which resizing keeps.

        Args:
            inputs: Batch with shape (N, C, H, W), not changed.
            images: Height and width of each image without its padding. None
                means that nothing is padded.
        """
        inputs = renormalize(
            inputs, images, source=self.source, target=self.target
        )
        height, width = inputs.shape[-2:]
        size = self.size.of((height, width))
        if size == (height, width):
            return inputs, images
        inputs = F.interpolate(
            inputs, size, mode='bilinear', align_corners=False, antialias=True
        )
        scaled = [
            (ceil(h * size[0] / height), ceil(w * size[1] / width))
            for h, w in images or ()
        ]
        return inputs, scaled or None


def input_adapter(
    student: nn.Module,
    teacher: nn.Module,
    size: InputSize,
    needs_sizes: bool = False,
) -> InputAdapter:
    """Return what turns the student's batch into the teacher's.

    A teacher that states no normalisation takes what comes. Where the two
    differ, or with `needs_sizes`, the student's preprocessor adds
    ``image_sizes`` to each training batch from now on.
    """
    preprocessor: Any = getattr(student, 'data_preprocessor', None)
    source = normalization_of(preprocessor)
    target = normalization_of(getattr(teacher, 'data_preprocessor', None))
    if source is None or target is None:
        source = target = Normalization(False, (0.0,), (1.0,), 0.0)
    adapter = InputAdapter(source, target, size)
    if preprocessor is not None and (source != target or needs_sizes):
        preprocessor.register_forward_hook(_note_sizes, with_kwargs=True)
    return adapter


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
                'student, or the size of each image. It cannot be given '
                'exactly here, because '
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
