"""Generators: from the masked feature to one like the teacher's."""

from collections.abc import Callable

from torch import Tensor, nn

from mmmgd.ops import lay_out


def _conv(from_: int, to: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(from_, to, kernel, padding=kernel // 2)


def _relu() -> nn.ReLU:
    return nn.ReLU(inplace=True)


def _conv3x3x2(width: int) -> list[nn.Module]:
    """Return the paper's generator: 18 C² weights, sees 5x5 positions."""
    return [_conv(width, width, 3), _relu(), _conv(width, width, 3)]


def _conv1x1x2(width: int) -> list[nn.Module]:
    """Return two 1x1 convolutions: 2 C² weights, sees one position."""
    return [_conv(width, width, 1), _relu(), _conv(width, width, 1)]


def _linear(width: int) -> list[nn.Module]:
    """Return one 1x1 convolution: C² weights, linear."""
    return [_conv(width, width, 1)]


def _projector(width: int) -> list[nn.Module]:
    """Return the projector of PEFD, linear and ReLU: C² weights."""
    return [_conv(width, width, 1), _relu()]


def _bottleneck(width: int) -> list[nn.Module]:
    """Return a bottleneck block: 1.06 C² weights, sees 3x3 positions."""
    narrow = max(width // 4, 1)
    return [
        _conv(width, narrow, 1),
        _relu(),
        _conv(narrow, narrow, 3),
        _relu(),
        _conv(narrow, width, 1),
    ]


GENERATORS: dict[str, Callable[[int], list[nn.Module]]] = {
    'conv3x3x2': _conv3x3x2,
    'conv1x1x2': _conv1x1x2,
    'linear': _linear,
    'projector': _projector,
    'bottleneck': _bottleneck,
}


def build_generator(
    kind: str, width: int, count: int, sparse: bool = False
) -> nn.Module:
    """Build a generator, or the mean of several.

    Args:
        kind: A key of :data:`GENERATORS`.
        width: Channels, C.
        count: How many generators.
        sparse: Whether its input has hidden positions; the sparse path of one
            'conv3x3x2' then reads its kernels.

    Raises:
        ValueError: If there is no such kind, or the count is below 1.
    """
    if kind not in [*GENERATORS]:
        raise ValueError(
            f'Expected `generator` to be one of {[*GENERATORS]}, but got '
            f'{kind!r}.'
        )
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(
            'Expected `generators`, whose mean is taken, to be a number from '
            f'1, but got {count!r}.'
        )
    if sparse and count == 1 and kind == 'conv3x3x2':
        return LaidOut(*GENERATORS[kind](width))
    built = [nn.Sequential(*GENERATORS[kind](width)) for _ in range(count)]
    return built[0] if count == 1 else Mean(built)


class LaidOut(nn.Sequential):
    """Layers whose kernels lie as the sparse path, a CPU's, reads them."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(*layers)
        lay_out(self, by_position=True)

    def _apply(self, fn: Callable, recurse: bool = True) -> 'LaidOut':
        super()._apply(fn, recurse)
        device = next(self.parameters()).device
        lay_out(self, by_position=device.type == 'cpu')
        return self


class Mean(nn.ModuleList):
    """The mean of the outputs of several modules."""

    def forward(self, feature: Tensor) -> Tensor:
        """Return the mean, in the shape of each module's output."""
        return sum(module(feature) for module in self) / len(self)
