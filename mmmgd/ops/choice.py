"""Which way to compute the generator is the fastest: an estimate."""

from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn

# Moving numbers costs time too. In operations of a matrix product, for each
# number of a kernel and of a map, forward and backward: transposing and
# transforming them. Measured on two AVX2 cores that do 110 GFLOP/s.
PER_WEIGHT = 2500
PER_FEATURE = 3000
# How much faster the estimate must be to be believed.
MARGIN = 1.1

GEOMETRY = attrgetter(
    'kernel_size', 'stride', 'padding', 'dilation', 'groups', 'padding_mode'
)
HOOKS = ('forward', 'forward_pre', 'backward', 'backward_pre')
CONV3X3 = (nn.Conv2d, (3, 3), (1, 1), (1, 1), (1, 1), 1, 'zeros')
CONV1X1 = (nn.Conv2d, (1, 1), (1, 1), (0, 0), (1, 1), 1, 'zeros')
RELU = (nn.ReLU,)


def choose(
    feature: Tensor,
    mask: Tensor,
    align: nn.Module | None,
    generation: nn.Sequential,
    cheap: bool | None,
) -> str:
    """Name the way to compute: 'plain', or 'rows' or 'composed' visible ones.

    Args:
        feature: Tensor with shape (N, C_s, H, W).
        mask: Keep mask.
        align: 1x1 convolution from C_s to C_t, or None.
        generation: 3x3 convolution, ReLU, 3x3 convolution, of width C_t.
        cheap: True: not plain where possible; False: plain; None: the one
            that is estimated to be the fastest.
    """
    if cheap is False or not _is_stock(align, generation):
        return 'plain'
    weight: Any = generation[0].weight
    shape, width = tuple(feature.shape), len(weight)
    # On small maps nothing visible would still cost more: ask no further.
    hopeless = _cheapest(estimate(shape, 0, width)) == 'plain'
    if not (
        (cheap or (not hopeless and _is_worthwhile(feature, weight)))
        and _is_possible(feature, mask, weight)
    ):
        return 'plain'
    costs = estimate(shape, int(mask.count_nonzero()), width)
    if align is None:
        del costs['composed']
    if cheap:
        del costs['plain']
    return _cheapest(costs)


def estimate(
    shape: tuple[int, ...], visible: int, width: int
) -> dict[str, float]:
    """Estimate the operations of a forward and a backward pass.

    A product costs two operations for each pair of numbers, and comes three
    times: forward, and for the gradients of both its factors.

    Args:
        shape: (N, C_s, H, W), of the student's feature.
        visible: Number of visible positions, V.
        width: C_t.
    """
    n, channels, h, w = shape
    even = n * (h + h % 2) * (w + w % 2)
    kernel, align = 9 * width**2, channels * width
    own = align if channels != width else 0
    # Winograd's 4 products a position, not 9, and what is moved
    rest = 6 * 4 / 9 * even * kernel
    rest += PER_WEIGHT * kernel + PER_FEATURE * even * width
    return {
        'plain': 6 * n * h * w * (2 * kernel + own) / MARGIN,
        'rows': 6 * visible * (kernel + own) + rest,
        'composed': 6 * 9 * align * (visible + width) + rest,
    }


def _cheapest(costs: dict[str, float]) -> str:
    return min(costs, key=lambda name: costs[name])


def has_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16.

    Without them torch emulates: on AVX2, a product of matrices takes some
    hundred times as long as in float32.
    """
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _is_worthwhile(feature: Tensor, weight: Tensor) -> bool:
    """Whether the estimates hold here at all.

    They were measured on a CPU. On a GPU, waiting for the number of visible
    positions would stall it. Under autocast, a CPU that has instructions for
    bfloat16 is left to use them; one that has none would emulate them,
    hundreds of times slower than float32.
    """
    if feature.device.type != 'cpu':
        return False
    if _is_autocast_on_cpu():
        return not has_bfloat16()
    return feature.dtype == weight.dtype


def _is_autocast_on_cpu() -> bool:
    if hasattr(torch, 'get_autocast_dtype'):  # torch >= 2.4
        return torch.is_autocast_enabled('cpu')
    return torch.is_autocast_cpu_enabled()


def _is_possible(feature: Tensor, mask: Tensor, weight: Tensor) -> bool:
    """Whether the visible positions decide what the plain modules return."""
    n, _, h, w = feature.shape
    return (
        not feature.is_meta
        and tuple(mask.shape) == (n, 1, h, w)
        and not mask.requires_grad
        and weight.dtype in (torch.float32, torch.float64)
        and not torch.jit.is_tracing()
        and bool(((mask == 0) | (mask == 1)).all())
    )


def _is_stock(align: nn.Module | None, generation: nn.Sequential) -> bool:
    """Whether the parameters alone decide what the modules compute.

    Not where somebody has hooked, wrapped or replaced one.
    """
    parts, stock = [*generation.children()], [CONV3X3, RELU, CONV3X3]
    if align is not None:
        parts, stock = [*parts, align], [*stock, CONV1X1]
    return [_kind(part) for part in parts] == stock and not any(
        _is_hooked(part) for part in [generation, *parts]
    )


def _kind(part: nn.Module) -> tuple:
    """Return the type of a layer, and all that its parameters do not say."""
    if not isinstance(part, nn.Conv2d) or part.bias is None:
        return (type(part),)
    return type(part), *GEOMETRY(part)


def _is_hooked(part: nn.Module) -> bool:
    return any(getattr(part, f'_{kind}_hooks') for kind in HOOKS)
