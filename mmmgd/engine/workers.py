"""Record and restore the random state of data loader workers.

Persistent workers carry their state from epoch to epoch, so an exact resume
needs it. Each worker writes its state to shared memory after each batch.
"""

import pickle
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.data import DataLoader, get_worker_info

from mmmgd.rng import rng_state, set_rng_state

# Room for one pickled state, which takes about half of it.
STATE_BYTES = 32768
# Seconds in which a worker starts.
START = 60


class WorkerStates:
    """Shared memory for the random states of one data loader's workers.

    Create it before the workers start. They prefetch, so it keeps the states
    after their last few batches; the training asks for the one it needs.

    Args:
        loader: A data loader with workers.
    """

    def __init__(self, loader: DataLoader) -> None:
        self.count = loader.num_workers
        self.persistent = loader.persistent_workers
        # A worker is at most the prefetched batches ahead.
        self.depth = (loader.prefetch_factor or 2) + 3
        self.pages = torch.zeros(
            self.count, self.depth, STATE_BYTES, dtype=torch.uint8
        ).share_memory_()
        self.done = torch.zeros(self.count, dtype=torch.int64).share_memory_()
        self.start = self.done.clone()
        self.initial: list[dict] | None = None
        self.offset = 0  # workers that got no batch at first
        loader.worker_init_fn = _WorkerInit(loader.worker_init_fn, self)
        loader.collate_fn = _Collate(loader.collate_fn, self)

    def resume(self, saved: dict, rotate: bool) -> int:
        """Start the workers from saved states.

        Args:
            saved: From :meth:`state`, with as many workers.
            rotate: Whether the next batch goes to the first worker. Else
                the caller leaves out as many workers as are returned.
        """
        turn = saved['position'] % self.count
        states = saved['states']
        self.initial = states[turn:] + states[:turn] if rotate else states
        self.offset = 0 if rotate else turn
        return self.offset

    def begin_epoch(self) -> None:
        """Record how many batches each worker has done before this epoch."""
        self.start = self.done.clone()

    def end_epoch(self) -> None:
        """Start later workers without saved states."""
        self.initial, self.offset = None, 0

    def state(self, consumed: int | None) -> dict | None:
        """Return the state of each worker after the batches used so far.

        Args:
            consumed: Batches of this epoch that the training has got from
                these workers; None after the epoch, when they begin anew.
        """
        if consumed is None and not self.persistent:
            return None
        states = []
        # Batch i is loaded by worker i % count.
        position = self.offset + (consumed or 0)
        for worker in range(self.count):
            done = int(self.done[worker])
            if consumed is not None:  # they are ahead
                done = int(self.start[worker]) + sum(
                    i % self.count == worker
                    for i in range(self.offset, position)
                )
            states.append(self._read(worker, done))
        return {'position': position, 'states': states}

    def write(self, worker: int) -> None:
        """Record the state of the calling worker."""
        text = pickle.dumps(rng_state(cuda=False))
        assert len(text) <= STATE_BYTES, len(text)
        page = self.pages[worker, int(self.done[worker]) % self.depth]
        content = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        page[1 : len(text)] = content[1:]
        page[0] = content[0]  # the last: it says that there is a state

    def _read(self, worker: int, batches: int) -> dict:
        page = self.pages[worker, batches % self.depth]
        deadline = time.monotonic() + START
        # One that has got no batch in this epoch may be starting still.
        while not page[0] and time.monotonic() < deadline:
            time.sleep(0.01)
        # Its own worker wrote it, into memory that they share.
        return pickle.loads(page.numpy().tobytes())  # noqa: S301


class _WorkerInit:
    """A ``worker_init_fn`` that restores a worker's state."""

    def __init__(self, inner: Callable | None, book: WorkerStates) -> None:
        self.inner, self.book = inner, book

    def __call__(self, worker: int) -> None:
        if self.inner is not None:
            self.inner(worker)
        if self.book.initial is not None:
            set_rng_state(self.book.initial[worker])
        self.book.write(worker)


class _Collate:
    """A ``collate_fn`` that records the worker's state after each batch."""

    def __init__(self, inner: Callable, book: WorkerStates) -> None:
        self.inner, self.book = inner, book

    def __call__(self, samples: list) -> Any:
        if not samples:
            return None  # of ResumedBatches
        batch = self.inner(samples)
        info = get_worker_info()
        if info is not None:
            self.book.done[info.id] += 1
            self.book.write(info.id)
        return batch
