"""MobileNetV1, a student of the paper that mmpretrain does not have."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmmgd.registry import MODELS

# One stage per resolution: (output channels, stride of the first block,
# blocks). The 13 blocks follow a stem of stride 2.
STAGES = (
    (64, 1, 1),
    (128, 2, 2),
    (256, 2, 2),
    (512, 2, 6),
    (1024, 2, 2),
)
STEM_CHANNELS = 32


@MODELS.register_module()
class MobileNetV1(BaseModule):
    """Depthwise-separable convolutions at five resolutions.

    `MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
    Applications <https://arxiv.org/abs/1704.04861>`_, table 1, width 1.0. With
    a linear head for 1000 classes it has 4,231,976 parameters.

    The stages are modules of their own, so that a distillation point can name
    them: ``backbone.stem``, then ``backbone.stage1`` (stride 2) to
    ``backbone.stage5`` (stride 32, 1024 channels, the last two blocks).

    Args:
        in_channels: Channels of the image.
        init_cfg: MMEngine's initialisation. Defaults to that of the authors
            (yzd-v/MGD@2c9da0b, cls/mmcls/models/backbones/mobilenet_v1.py):
            Kaiming normal, fan-out, for convolutions, and BN at 1.

    Shape:
        (N, in_channels, H, W) to a tuple of one map (N, 1024, H/32, W/32).

    Examples:
        >>> import torch
        >>> (last,) = MobileNetV1()(torch.zeros(1, 3, 64, 64))
        >>> last.shape
        torch.Size([1, 1024, 2, 2])
    """

    def __init__(
        self,
        in_channels: int = 3,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if init_cfg is None:
            init_cfg = [
                dict(type='Kaiming', layer='Conv2d'),
                dict(type='Constant', val=1, layer='_BatchNorm'),
            ]
        super().__init__(init_cfg)
        self.stem = _conv(in_channels, STEM_CHANNELS, 3, stride=2)
        channels = STEM_CHANNELS
        for i, (out_channels, stride, num_blocks) in enumerate(STAGES, 1):
            stage = _stage(channels, out_channels, stride, num_blocks)
            self.add_module(f'stage{i}', stage)
            channels = out_channels

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Return the last map, (N, 1024, H/32, W/32), in a tuple."""
        x = self.stem(x)  # (N, 3, H, W) -> (N, 32, H/2, W/2)
        for i in range(1, len(STAGES) + 1):
            x = getattr(self, f'stage{i}')(x)
        return (x,)


def _stage(
    in_channels: int, out_channels: int, stride: int, num_blocks: int
) -> nn.Sequential:
    """Return depthwise-separable blocks; the first one has the stride."""
    blocks = [_separable(in_channels, out_channels, stride)]
    for _ in range(num_blocks - 1):
        blocks.append(_separable(out_channels, out_channels, stride=1))
    return nn.Sequential(*blocks)


def _separable(
    in_channels: int, out_channels: int, stride: int
) -> nn.Sequential:
    """Return a 3x3 convolution per channel and a 1x1 across channels."""
    return nn.Sequential(
        _conv(in_channels, in_channels, 3, stride, groups=in_channels),
        _conv(in_channels, out_channels, 1),
    )


def _conv(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    """Return convolution, BN, ReLU."""
    return nn.Sequential(
        nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=kernel_size // 2,
            groups=groups,
            bias=False,
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
