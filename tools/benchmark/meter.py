"""How `benchmark.py` measures: time, operations, memory, size."""

import gc
import math
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mmmgd.ops import has_bfloat16

STATUS = Path('/proc/self/status')
ATEN = torch.ops.aten


def interleave(
    subjects: Mapping[str, Callable[[], None]],
    rounds: int,
    warmup: int,
    device: str,
) -> dict[str, list[float]]:
    """Time subjects in turn, A B A B, so that a drift affects all alike.

    Args:
        subjects: What to run, by name.
        rounds: How often each is timed.
        warmup: How often each runs before that.
        device: Where it runs.

    Returns:
        Seconds of each run.
    """
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for i in range(warmup + rounds):
        for name, run in subjects.items():
            gc.collect()
            _wait(device)
            start = time.perf_counter()
            run()
            _wait(device)
            if i >= warmup:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def median(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the median of each subject."""
    return {name: statistics.median(runs) for name, runs in seconds.items()}


def count_operations(run: Callable[[], None]) -> int:
    """Count floating-point operations of products and convolutions."""
    # torch's counter leaves out what adds to a tensor, and oneDNN's
    more: Any = dict.fromkeys(
        (ATEN.addmm_, ATEN.baddbmm_, ATEN.addbmm_), _added
    )
    more[torch.ops.mkldnn._linear_pointwise] = _linear
    with FlopCounterMode(display=False, custom_mapping=more) as counter:
        run()
    return counter.get_total_flops()


def _added(out: Sequence, a: Sequence, b: Sequence, **_: Any) -> int:
    """Operations of (a batch of) products, by shapes."""
    return 2 * math.prod(a) * b[-1]


def _linear(a: Sequence, b: Sequence, *_: Any, **__: Any) -> int:
    """Operations of a @ bᵀ, by shapes."""
    return 2 * math.prod(a) * b[0]


def peak_rate(device: str, size: int = 2048) -> float:
    """Measure operations a second of a float32 product of matrices."""
    a, b = (torch.randn(size, size, device=device) for _ in range(2))
    out = torch.empty_like(a)
    subject = {'product': lambda: _drop(torch.mm(a, b, out=out))}
    seconds = interleave(subject, 5, 1, device)['product']
    return 2 * size**3 / statistics.median(seconds)


def start_peak(device: str) -> None:
    """Reset the peak of memory."""
    gc.collect()
    if device != 'cpu':
        torch.cuda.reset_peak_memory_stats()
    elif STATUS.exists():
        Path('/proc/self/clear_refs').write_text('5')


def peak_bytes(device: str) -> int | None:
    """Return the peak since: of the GPU, or of the process (Linux only)."""
    if device != 'cpu':
        return torch.cuda.max_memory_allocated()
    if not STATUS.exists():
        return None
    lines = dict(x.split(':', 1) for x in STATUS.read_text().splitlines())
    return int(lines['VmHWM'].split()[0]) * 1024


def size_of(tensors: Mapping[str, Tensor]) -> int:
    """Add up bytes."""
    return sum(x.numel() * x.element_size() for x in tensors.values())


def size_of_state(optimizer: torch.optim.Optimizer) -> int:
    """Add up the bytes of an optimizer's state."""
    states = enumerate(optimizer.state.values())
    return size_of(
        {
            f'{i}.{key}': value
            for i, state in states
            for key, value in state.items()
            if isinstance(value, Tensor)
        }
    )


def environment(device: str) -> dict:
    """Describe the machine: what a time depends on."""
    return dict(
        date=time.strftime('%Y-%m-%d'),
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        device=torch.cuda.get_device_name() if device != 'cpu' else _cpu(),
        bfloat16_instructions=has_bfloat16(),
    )


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    """Return SGD that works as hard as any, but changes nothing."""
    return torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)


def _drop(_: Tensor) -> None:
    return None


def _cpu() -> str:
    info = Path('/proc/cpuinfo')
    names = [
        line.partition(':')[2].strip()
        for line in (info.read_text().splitlines() if info.exists() else [])
        if line.startswith('model name')
    ]
    return f'{len(names)} x {names[0]}' if names else platform.processor()


def _wait(device: str) -> None:
    if device != 'cpu':
        torch.cuda.synchronize()
