"""The connector of MGD: mask, then generator."""

from typing import Any

import torch
from torch import Tensor, nn

from mmmgd.functional import (
    attention_mask,
    fixed_mask,
    mask_shape,
    random_mask,
)
from mmmgd.ops import generate_channels, masked_generate
from mmmgd.registry import MODELS
from mmmgd.rng import MaskStream

from .align import align_conv, check_channels
from .checks import (
    check_channel_attention,
    check_mask,
    check_one_of,
    check_sample,
)
from .generators import build_generator


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
        mask: 'random' hides each position (or channel) with probability λ, as
            MGD does; 'fixed' hides the same number of random ones in each
            image, as MAE and ViTKD do; 'attention' hides those that the
            teacher attends to most, in the manner of AMD and DMKD.
        mask_before_align: Hide before align. A channel mask after an align
            that widens hides next to nothing: the visible channels are still
            linear in all of the student's.
        mask_token: Put a learned vector in the place of what is hidden, as
            MAE and ViTKD do, instead of zeros.
        generator: 'conv3x3x2', the paper's; 'conv1x1x2'; 'linear';
            'projector', linear and ReLU; 'bottleneck'. Those without a 3x3
            convolution cannot fill in a hidden position: they are for channel
            masks, or for none.
        generators: Number of generators whose mean is compared, as PEFD does
            with projectors.
        sample: Share of the teacher's channels that each step generates and
            compares, drawn at random, in (0, 1]. :class:`MGDDistill` divides
            the loss by it: its mean and that of its gradient stay as they
            are, their variance grows, and the second convolution costs less.

    Shape:
        (N, C_s, H, W) to (N, C_t, H, W).

    Raises:
        ValueError: If an argument is out of its range.

    Examples:
        >>> import torch
        >>> connector = MGDConnector(
        ...     mask_ratio=0.65, student_channels=64, teacher_channels=256
        ... )
        >>> connector(torch.zeros(2, 64, 7, 7)).shape
        torch.Size([2, 256, 7, 7])
    """

    def __init__(
        self,
        mask_ratio: float,
        mask_dim: str = 'spatial',
        student_channels: int | None = None,
        teacher_channels: int | None = None,
        cheap: bool | None = None,
        mask: str = 'random',
        mask_before_align: bool = False,
        mask_token: bool = False,
        generator: str = 'conv3x3x2',
        generators: int = 1,
        sample: float = 1.0,
    ) -> None:
        super().__init__()
        check_mask(mask_ratio, mask_dim, mask)
        check_one_of('cheap', cheap, (None, True, False))
        check_one_of('mask_before_align', mask_before_align, (True, False))
        check_one_of('mask_token', mask_token, (True, False))
        narrow, width = check_channels(student_channels, teacher_channels)
        self.mask_ratio, self.mask_dim, self.mask = mask_ratio, mask_dim, mask
        self.mask_before_align = mask_before_align
        self._masked_width = narrow if mask_before_align else width
        if (mask, mask_dim) == ('attention', 'channel'):
            check_channel_attention(self._masked_width, width)
        self.cheap = cheap
        self.sample = check_sample(sample)
        self._width = width
        self.align = align_conv(narrow, width)
        kind = generator, width, generators
        usual = (mask_dim, mask_before_align, mask_token)
        sparse = usual == ('spatial', False, False) and cheap is not False
        self.generation: Any = build_generator(*kind, sparse)
        token = torch.zeros(1, self._masked_width, 1, 1)
        self.mask_token = nn.Parameter(token) if mask_token else None
        seed = torch.randint(2**62, (), device='cpu')
        self.mask_stream = MaskStream(int(seed))

    def forward(
        self,
        feature: Tensor,
        mask: Tensor | None = None,
        channels: Tensor | None = None,
    ) -> Tensor:
        """Generate a teacher-like feature from the visible part.

        Args:
            feature: Tensor with shape (N, C_s, H, W).
            mask: Keep mask, 1 is visible, with shape (N, 1, H, W) or
                (N, C, 1, 1), where C is the width at which is masked. Drawn
                when left out.
            channels: The teacher's channels to generate, as indices. All
                when left out, whatever ``sample`` is.
        """
        if mask is None:
            mask = self.draw_mask(feature)
        if self.mask_before_align or self.mask_token is not None:
            masked = self.visible(feature, mask)
            return generate_channels(self.generation, masked, channels)
        return masked_generate(
            feature, mask, self.align, self.generation, self.cheap, channels
        )

    def visible(self, feature: Tensor, mask: Tensor) -> Tensor:
        """Return the masked feature, the generator's input."""
        if self.mask_before_align:
            return self._aligned(self._hide(feature, mask))
        return self._hide(self._aligned(feature), mask)

    def draw_mask(
        self, feature: Tensor, teacher: Tensor | None = None
    ) -> Tensor:
        """Draw the next keep mask.

        Args:
            feature: The student's, with shape (N, C_s, H, W).
            teacher: The teacher's, with shape (N, C_t, H, W); only attention
                needs it.

        Raises:
            ValueError: If attention has to do without it.
        """
        if self.mask == 'attention':
            if teacher is None:
                raise ValueError(
                    "mask='attention' needs the teacher's feature, which "
                    'mmmgd.MGDDistill gives to draw_mask(student, teacher). '
                    "Elsewhere (MMRazor) take mask='random' or 'fixed'."
                )
            keep = attention_mask(teacher, self.mask_ratio, self.mask_dim)
            return keep.to(feature.dtype)
        draw = fixed_mask if self.mask == 'fixed' else random_mask
        masked = feature.new_empty(1).expand(self._masked_shape(feature))
        generator = self.mask_stream.next(feature.device)
        return draw(masked, self.mask_ratio, self.mask_dim, generator)

    def draw_channels(self, feature: Tensor) -> Tensor | None:
        """Draw which channels to generate, as K indices; None if all."""
        count = max(1, round(self.sample * self._width))
        if count == self._width:
            return None
        generator = self.mask_stream.next(feature.device)
        order = torch.rand(
            self._width, generator=generator, device=feature.device
        )
        return order.topk(count).indices.sort().values

    def full_mask(self, feature: Tensor) -> Tensor:
        """Return the keep mask that hides nothing."""
        shape = mask_shape(self._masked_shape(feature), self.mask_dim)
        return feature.new_ones(shape)

    def extra_repr(self) -> str:
        """Return the mask's settings, for printing."""
        return (
            f'mask_ratio={self.mask_ratio}, mask_dim={self.mask_dim!r}, '
            f'mask={self.mask!r}'
        )

    def _masked_shape(self, feature: Tensor) -> tuple[int, ...]:
        n, _, h, w = feature.shape
        return n, self._masked_width, h, w

    def _aligned(self, feature: Tensor) -> Tensor:
        return feature if self.align is None else self.align(feature)

    def _hide(self, feature: Tensor, mask: Tensor) -> Tensor:
        mask = mask.to(feature.dtype)
        if self.mask_token is None:
            return feature * mask
        return feature * mask + self.mask_token * (1 - mask)
