"""Connectors: from the student's feature to a teacher-like one."""

import torch
from torch import Tensor, nn

from mmmgd.functional import MASK_DIMS, random_mask
from mmmgd.ops import masked_generate
from mmmgd.registry import MODELS
from mmmgd.rng import MaskStream


@MODELS.register_module()
class AlignConnector(nn.Module):
    """Direct imitation: match the width and nothing else.

    The contrast to MGD in its paper. Without a mask and a generator the
    student has to copy the teacher's feature.

    Args:
        student_channels: Channels of the student's map. Inferred inside
            :class:`MGDDistill` when left out.
        teacher_channels: Channels of the teacher's map, likewise.

    Shape:
        (N, C_s, H, W) to (N, C_t, H, W).
    """

    def __init__(
        self,
        student_channels: int | None = None,
        teacher_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.align = _align(student_channels, teacher_channels)

    def forward(self, feature: Tensor) -> Tensor:
        """Return the feature at the teacher's width."""
        return feature if self.align is None else self.align(feature)


@MODELS.register_module()
class MGDConnector(nn.Module):
    """Hide a random part of the student's feature, generate the teacher's.

    align (1x1 convolution, where the widths differ) → mask → generation
    (3x3 convolution, ReLU, 3x3 convolution): eq. (1)-(3) of `Masked Generative
    Distillation <https://arxiv.org/abs/2205.01529>`_. Submodules carry the
    names of the published weights, ``align`` and ``generation``; reference
    yzd-v/MGD@2c9da0b, det/mmdet/distillation/losses/mgd.py.

    Masks come from a stream of the connector's own, seeded when it is built,
    so that drawing them disturbs neither dropout nor augmentation.

    Where a spatial mask makes it cheaper, the same numbers are computed from
    the visible positions, without storing the masked feature: see
    :func:`masked_generate`. That way has no second derivative.

    Args:
        mask_ratio: λ, the share of positions (or channels) that is hidden, in
            [0, 1).
        mask_dim: 'spatial' hides positions (detection, segmentation),
            'channel' hides channels (classification).
        student_channels: Channels of the student's map. Inferred inside
            :class:`MGDDistill` when left out.
        teacher_channels: Channels of the teacher's map, likewise.
        cheap: Whether to compute from the visible positions: True where
            possible, False never, None where it is estimated to be faster.

    Shape:
        (N, C_s, H, W) to (N, C_t, H, W).

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        mask_ratio: float,
        mask_dim: str = 'spatial',
        student_channels: int | None = None,
        teacher_channels: int | None = None,
        cheap: bool | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(mask_ratio, (int, float)) or not 0 <= mask_ratio < 1:
            raise ValueError(
                'Expected `mask_ratio` (λ, the share that is hidden) in '
                f'[0, 1), but got {mask_ratio!r}.'
            )
        if mask_dim not in MASK_DIMS:
            raise ValueError(
                f'Expected `mask_dim` to be one of {MASK_DIMS}, but got '
                f'{mask_dim!r}.'
            )
        if cheap not in (None, True, False):
            raise ValueError(
                'Expected `cheap` to be True, False or None, but got '
                f'{cheap!r}.'
            )
        self.mask_ratio = mask_ratio
        self.mask_dim = mask_dim
        self.cheap = cheap
        self.align = _align(student_channels, teacher_channels)
        _, width = _check_channels(student_channels, teacher_channels)
        self._width = width
        self.generation = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
        )
        self.mask_stream = MaskStream(
            int(torch.randint(2**62, (), device='cpu'))
        )

    def forward(self, feature: Tensor, mask: Tensor | None = None) -> Tensor:
        """Generate a teacher-like feature from the visible part.

        Args:
            feature: Tensor with shape (N, C_s, H, W).
            mask: Keep mask, 1 is visible, with shape (N, 1, H, W) or
                (N, C_t, 1, 1). Drawn when left out.
        """
        if mask is None:
            mask = self._draw(feature)
        return masked_generate(
            feature, mask, self.align, self.generation, self.cheap
        )

    def _draw(self, feature: Tensor) -> Tensor:
        n, _, h, w = feature.shape
        aligned = feature.new_empty(1).expand(n, self._width, h, w)
        generator = self.mask_stream.next(feature.device)
        return random_mask(aligned, self.mask_ratio, self.mask_dim, generator)

    def extra_repr(self) -> str:
        """Name the paper's numbers when printed."""
        return f'mask_ratio={self.mask_ratio}, mask_dim={self.mask_dim!r}'


def _align(
    student_channels: int | None, teacher_channels: int | None
) -> nn.Conv2d | None:
    """Build the 1x1 convolution, or nothing where the widths agree."""
    from_, to = _check_channels(student_channels, teacher_channels)
    return None if from_ == to else nn.Conv2d(from_, to, 1)


def _check_channels(
    student_channels: int | None, teacher_channels: int | None
) -> tuple[int, int]:
    if student_channels is None or teacher_channels is None:
        raise ValueError(
            'Expected `student_channels` and `teacher_channels`, but got '
            f'{student_channels} and {teacher_channels}. They are inferred '
            'only inside mmmgd.MGDDistill; elsewhere (MMRazor, your own code) '
            'write both.'
        )
    for side, width in zip(
        ('student', 'teacher'),
        (student_channels, teacher_channels),
        strict=True,
    ):
        if type(width) is not int or width < 1:
            raise ValueError(
                f'Expected `{side}_channels` to be an integer above 0, but '
                f'got {width!r}.'
            )
    return student_channels, teacher_channels
