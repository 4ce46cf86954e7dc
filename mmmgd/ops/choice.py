"""Which way to compute the generator is the fastest: an estimate."""

from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn

from .kernels import is_laid_out

# Moving numbers costs time too. In operations of a matrix product, forward and
# backward, measured on two Zen 4 cores that do 180 GFLOP/s. For each number of
# a kernel: transforming the second one (Winograd), reading it nine times
# (few positions), transposing both where they do not lie as they are read.
PER_TRANSFORMED = 2000
PER_READ = 1000
PER_TRANSPOSED = 1400
# For each number of a map: transforming it.
PER_FEATURE = 3000
# For calling the many small operators around the products: 1.4 ms.
CALLS = 2.5e8
# Positions of a map below which its kernel is not worth transforming.
FEW = 300
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
    if cheap is False or not is_stock(align, generation):
        return 'plain'
    weight: Any = generation[0].weight
    shape, width = tuple(feature.shape), len(weight)
    laid = is_laid_out(weight)
    short = product_type(feature, weight) == torch.bfloat16
    # On small maps nothing visible would still cost more: ask no further.
    hopeless = _cheapest(estimate(shape, 0, width, laid, short)) == 'plain'
    if not (
        (cheap or (not hopeless and _is_worthwhile(feature, weight)))
        and _is_possible(feature, mask, weight)
    ):
        return 'plain'
    visible = int(mask.count_nonzero())
    costs = estimate(shape, visible, width, laid, short)
    if align is None:
        del costs['composed']
    if cheap:
        del costs['plain']
    return _cheapest(costs)


def estimate(
    shape: tuple[int, ...],
    visible: int,
    width: int,
    laid: bool = True,
    short: bool = False,
) -> dict[str, float]:
    """Estimate the operations of a forward and a backward pass.

    A product costs two operations for each pair of numbers, and comes three
    times: forward, and for the gradients of both its factors.

    Args:
        shape: (N, C_s, H, W), of the student's feature.
        visible: Number of visible positions, V.
        width: C_t.
        laid: Whether the kernels lie by position: see :func:`lay_out`.
        short: Whether products run in bfloat16. Beside them what is moved
            weighs four times as much.
    """
    n, channels, h, w = shape
    even = n * (h + h % 2) * (w + w % 2)
    kernel, align = 9 * width**2, channels * width
    own = align if channels != width else 0
    moves, turned = 4 if short else 1, PER_TRANSPOSED * kernel
    if even < FEW:
        rest = 6.0 * even * kernel + moves * PER_READ * kernel
    else:
        # Winograd's 4 products a position, not 9, and what is moved
        rest = 6 * 4 / 9 * even * kernel
        rest += moves * PER_TRANSFORMED * kernel
        rest += moves * PER_FEATURE * even * width
    rest += moves * turned * (not laid) + CALLS
    plain = 6 * n * h * w * (2 * kernel + own) / MARGIN
    return {
        'plain': plain + moves * turned * laid,
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
    positions would stall it.
    """
    if feature.device.type != 'cpu':
        return False
    return _autocast_type() is not None or feature.dtype == weight.dtype


def product_type(feature: Tensor, weight: Tensor) -> torch.dtype:
    """Return the type of the products: bfloat16 under autocast to it.

    Not on a CPU without instructions for it, which would emulate them,
    hundreds of times slower than float32: there, and under autocast to
    another type, the weight's.
    """
    short = feature.device.type == 'cpu' and (
        _autocast_type() == torch.bfloat16 and has_bfloat16()
    )
    return torch.bfloat16 if short else weight.dtype


def _autocast_type() -> torch.dtype | None:
    """Return the type of an autocast on the CPU, if there is one."""
    if hasattr(torch, 'get_autocast_dtype'):  # torch >= 2.4
        on, dtype = (
            torch.is_autocast_enabled('cpu'),
            torch.get_autocast_dtype('cpu'),
        )
    else:
        on, dtype = (
            torch.is_autocast_cpu_enabled(),
            torch.get_autocast_cpu_dtype(),
        )
    return dtype if on else None


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


def is_stock(align: nn.Module | None, generation: nn.Sequential) -> bool:
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
