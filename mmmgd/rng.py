"""Random streams that leave the global random state unchanged.

A distilled run and a plain run of the same seed must shuffle, augment and
drop out alike, or no comparison between them means anything. So whatever this
package draws comes from streams of its own.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank


@contextmanager
def isolated_rng(*entropy: int) -> Iterator[None]:
    """Seed the global streams for a block, then restore their state.

    Covers Python, NumPy and torch on the CPU, where models are built.

    Args:
        entropy: Non-negative integers that seed the block.
    """
    state = rng_state(cuda=False)
    seed = mix(*entropy)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # torch.manual_seed would also reseed the GPUs.
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        set_rng_state(state)


def rng_state(cuda: bool = True) -> dict[str, Any]:
    """Return the state of the global streams, in types a checkpoint may hold.

    Args:
        cuda: Include the current GPU, if there is one.
    """
    numpy: Any = np.random.get_state()
    name, keys, *rest = numpy
    state = {
        'python': random.getstate(),
        # Without an array, which restricted readers of checkpoints refuse.
        'numpy': (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        'torch': torch.get_rng_state(),
    }
    if cuda and torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_rng_state(state: dict[str, Any]) -> None:
    """Restore what :func:`rng_state` returned; its tensors may be anywhere."""
    version, internal, gauss = state['python']
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state['numpy']
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


def mix(*entropy: int) -> int:
    """Hash non-negative integers into one seed in [0, 2**63)."""
    state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
    return int(state[0]) >> 1


class MaskStream:
    """A random stream for masks whose state is two integers.

    The generator is seeded anew for each draw with (seed, rank, number of
    draws). The state does not depend on the device, and a file that rank 0
    of N processes wrote resumes on M of them, each with its own masks.

    Args:
        seed: Seed of the stream, shared by all ranks.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.draws = 0

    def next(self, device: torch.device) -> torch.Generator | None:
        """Return the generator of the next draw, on ``device``.

        None on the meta device, where nothing is drawn.
        """
        if device.type == 'meta':
            return None
        generator = torch.Generator(device)
        generator.manual_seed(mix(self.seed, get_rank(), self.draws))
        self.draws += 1
        return generator

    def state_dict(self) -> dict[str, int]:
        """Return the two integers to save."""
        return {'seed': self.seed, 'draws': self.draws}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue where a saved stream ended."""
        self.seed, self.draws = state['seed'], state['draws']
