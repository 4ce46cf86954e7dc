"""Stop all processes of a run after a signal to any of them."""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import torch.distributed as dist
from mmengine.dist import get_world_size
from torch.distributed import distributed_c10d

KEY = 'signal'


class StopNotice:
    """Lets all ranks stop after the same step.

    A rank that has got a signal writes it, with its step, to the group's
    store; all look there after each step. Gradients are shared in each step:
    what one rank writes before it begins a step, the others have read after
    that step. So all stop after the one that follows.

    Args:
        run: A name of the run that all ranks know.
    """

    def __init__(self, run: str) -> None:
        self.store: Any = None
        if get_world_size() > 1:
            self.store = dist.PrefixStore(
                f'mmmgd/{run}', distributed_c10d._get_default_store()
            )

    def read(self, done: int, signum: int | None) -> int | None:
        """Return the signal to stop for now, None to go on.

        Args:
            done: Number of steps that this rank has done.
            signum: The signal that this rank has got.
        """
        if self.store is None:
            return signum
        if self.store.check([KEY]):
            step, number = self.store.get(KEY).decode().split()
            return int(number) if done > int(step) else None
        if signum is not None:
            self.store.set(KEY, f'{done} {int(signum)}')
        return None


class Shielded:
    """``worker_init_fn`` by which only the trainer can end its workers.

    A signal to a whole job reaches the workers too, and without them the
    trainer could not finish its step, or its validation, and save.

    Args:
        inner: The one of the data loader.
    """

    def __init__(self, inner: Callable | None) -> None:
        self.inner = inner

    def __call__(self, worker: int) -> None:
        """Prepare a worker, in its own process."""
        if self.inner is not None:
            self.inner(worker)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if hasattr(signal, 'sigwaitinfo'):  # macOS has not
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            threading.Thread(
                target=_end_for, args=(os.getppid(),), daemon=True
            ).start()


def _end_for(trainer: int) -> None:
    """Exit on the SIGTERM by which a data loader ends its workers."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != trainer:
        pass
    os._exit(0)
