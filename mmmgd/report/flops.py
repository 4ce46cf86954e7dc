"""Count the multiply-adds of a model's matrix products.

torch counts them, by its operators: convolutions (deformable ones included),
linear layers, and the two products inside attention. One multiply-add is one
FLOP, as in MMEngine and in the published tables. Left out is what torch
multiplies element by element (norms, activations, poolings, interpolations),
what it fuses in ``nn.MultiheadAttention(batch_first=True)``, and what others
have compiled: mmcv's deformable attention and RoI operators.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from mmmgd.models.connectors import MGDConnector
from mmmgd.points.dry_pass import DryPass
from mmmgd.points.forward import quiet, run_blank
from mmmgd.points.hooked import hooked
from mmmgd.points.image_size import Size
from mmmgd.points.tap import FeatureTap

# A backward pass computes two products for each of the forward pass.
TRAINED, FROZEN = 3, 1
# Attention of a newer torch on a CPU, which its own table lacks.
ON_CPU = '_scaled_dot_product_flash_attention_for_cpu'


class Counter(FlopCounterMode):
    """Counts what runs inside its block."""

    def __init__(self) -> None:
        aten = torch.ops.aten
        own: dict[Any, Any] = {aten.addmm_: _addmm}  # deformable convolution
        if hasattr(aten, ON_CPU):
            own[getattr(aten, ON_CPU)] = _attention
        super().__init__(display=False, custom_mapping=own)

    @property
    def flops(self) -> int:
        """Return the multiply-adds; torch counts both operations."""
        return self.get_total_flops() // 2


@torch.no_grad()
def model_flops(model: nn.Module, image: Size) -> tuple[int, str]:
    """Count one image of that size through the whole model.

    Returns:
        The count, and where the pass ended if the model needs labels to go
        on: the parts that did not run, as text.
    """
    parts = {n: m for n, m in model.named_children() if [*m.parameters()]}
    waiting, counter = dict.fromkeys(parts), Counter()

    def enter(name: str, *_: Any) -> None:
        waiting.pop(name, None)

    try:
        with hooked(parts.items(), before=enter), counter:
            run_blank(model, image)
    except Exception:  # of any kind: a head that misses its labels
        return counter.flops, ', '.join(waiting) or f'part of {[*parts][-1]}'
    return counter.flops, ''


@torch.no_grad()
def teacher_flops(model: nn.Module, seen: DryPass) -> int:
    """Count one image up to the deepest of the points, where a pass ends."""
    tap = FeatureTap(model, list(seen.shapes), 'teacher')
    with Counter() as counter, tap.record(stop=True):
        run_blank(model, seen.image, seen.way)
    return counter.flops


@torch.no_grad()
def connector_flops(connector: nn.Module, shape: Sequence[int]) -> int:
    """Count one feature through a connector, on the meta device.

    So nothing is computed, and no mask is drawn from its stream.
    """
    tensors = [*connector.named_parameters(), *connector.named_buffers()]
    meta = {name: tensor.to('meta') for name, tensor in tensors}
    feature = torch.empty(*shape, device='meta')
    mask = {}
    if isinstance(connector, MGDConnector):
        mask = {'mask': connector.full_mask(feature)}
    with quiet(connector), Counter() as counter:
        functional_call(connector, meta, (feature,), mask)
    return counter.flops


def parameters_of(*modules: nn.Module) -> int:
    """Count the parameters of some modules."""
    return sum(p.numel() for m in modules for p in m.parameters())


def step_shares(student: int, teacher: int, connectors: int) -> list[float]:
    """Predict each one's share of a step from its forward FLOPs.

    Student and connectors run forward and backward, which is three times the
    forward pass; the teacher only forward. Data loading is not part of it.
    """
    costs = [TRAINED * student, FROZEN * teacher, TRAINED * connectors]
    return [cost / max(sum(costs), 1) for cost in costs]


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    """Count QKᵀ and its product with V, of three shapes (N, heads, L, D)."""
    return 2 * prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _addmm(out: Any, left: Any, right: Any, *_: Any, **__: Any) -> int:
    return 2 * prod(left) * right[-1]
