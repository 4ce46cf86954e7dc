"""What a model costs: multiply-adds of its convolutions and linear layers.

One multiply-add is counted as one FLOP, as MMEngine and the published tables
do. Norms, activations, poolings, interpolations and the products inside
attention are left out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.conv import _ConvTransposeNd

from mmmgd.models.connectors import MGDConnector
from mmmgd.points.dry_pass import blank_image, forward_tensor, quiet
from mmmgd.points.tap import FeatureTap

# A backward pass computes two products for each of the forward pass.
TRAINED, FROZEN = 3, 1


@contextmanager
def counting(model: nn.Module) -> Iterator[Counter[str]]:
    """Count what runs inside the block, by the name of the module."""
    counts: Counter[str] = Counter()

    def hook(name: str, module: Any, args: tuple, output: Any) -> None:
        # A transposed convolution multiplies at each position of its input.
        positions = args[0] if isinstance(module, _ConvTransposeNd) else output
        if isinstance(positions, Tensor):
            weight = module.weight
            width = weight.shape[0]  # in all of them, that of `positions`
            counts[name] += weight.numel() * (positions.numel() // width)

    handles = [
        module.register_forward_hook(partial(hook, name))
        for name, module in model.named_modules()
        if _multiplies(module)
    ]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def model_flops(model: nn.Module, size: int) -> tuple[int, str]:
    """Count one image of size x size pixels through the whole model.

    Returns:
        The count, and where the pass ended if the model needs labels to go
        on: the parts that did not run, as text.
    """
    ran: set[str] = set()

    def note(name: str, *_: Any) -> None:
        ran.add(name)

    parts = [n for n, m in model.named_children() if list(m.parameters())]
    handles = [
        model.get_submodule(name).register_forward_pre_hook(
            partial(note, name)
        )
        for name in parts
    ]
    try:
        with quiet(model), counting(model) as counts:
            forward_tensor(model, blank_image(model, size))
    except Exception:  # of any kind: a head that misses its labels
        missing = [name for name in parts if name not in ran]
        return counts.total(), ', '.join(missing) or 'part of ' + parts[-1]
    finally:
        for handle in handles:
            handle.remove()
    return counts.total(), ''


@torch.no_grad()
def teacher_flops(model: nn.Module, points: Sequence[str], size: int) -> int:
    """Count one image up to the deepest of the points, where a pass ends."""
    tap = FeatureTap(model, points, 'teacher')
    with quiet(model), counting(model) as counts, tap.record(stop=True):
        forward_tensor(model, blank_image(model, size))
    return counts.total()


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
    with quiet(connector), counting(connector) as counts:
        functional_call(connector, meta, (feature,), mask)
    return counts.total()


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


def _multiplies(module: nn.Module) -> bool:
    weight: Any = getattr(module, 'weight', None)
    return (
        isinstance(weight, Tensor)
        and weight.dim() > 1
        and not isinstance(module, nn.Embedding)
    )
