"""The connector of direct imitation: a 1x1 convolution."""

from torch import Tensor, nn

from mmmgd.registry import MODELS


@MODELS.register_module()
class AlignConnector(nn.Module):
    """Match the teacher's width by a 1x1 convolution: direct imitation.

    The contrast to MGD in its paper. Without a mask and a generator the
    student has to copy the teacher's feature.

    Args:
        student_channels: Channels of the student's map. Inferred inside
            :class:`MGDDistill` when left out.
        teacher_channels: Channels of the teacher's map, likewise.
        always: Build the 1x1 convolution where the widths agree, too. Such a
            projector lets the student's feature be a linear function of the
            teacher's, instead of equal to it.
        norm: Normalise over the batch what comes out.

    Shape:
        (N, C_s, H, W) to (N, C_t, H, W).

    Examples:
        >>> import torch
        >>> connector = AlignConnector(
        ...     student_channels=64, teacher_channels=256
        ... )
        >>> connector(torch.zeros(2, 64, 7, 7)).shape
        torch.Size([2, 256, 7, 7])
    """

    def __init__(
        self,
        student_channels: int | None = None,
        teacher_channels: int | None = None,
        always: bool = False,
        norm: bool = False,
    ) -> None:
        super().__init__()
        from_, to = check_channels(student_channels, teacher_channels)
        self.align = align_conv(from_, to, always)
        self.norm = nn.BatchNorm2d(to) if norm else None

    def forward(self, feature: Tensor) -> Tensor:
        """Return the feature at the teacher's width."""
        if self.align is not None:
            feature = self.align(feature)
        return feature if self.norm is None else self.norm(feature)


def align_conv(from_: int, to: int, always: bool = False) -> nn.Conv2d | None:
    """Build the 1x1 convolution, or nothing where the widths agree."""
    return nn.Conv2d(from_, to, 1) if always or from_ != to else None


def check_channels(
    student_channels: int | None, teacher_channels: int | None
) -> tuple[int, int]:
    """Refuse widths that are missing or not positive integers.

    Raises:
        ValueError: If one is.
    """
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
