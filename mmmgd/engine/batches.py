"""Resume in the middle of an epoch without loading its first batches."""

from collections.abc import Callable, Iterator
from typing import Any

from torch.utils.data import DataLoader


class ResumedBatches:
    """A batch sampler whose first batches were consumed by an earlier run.

    Args:
        inner: The real one.
        done: Number of its batches that are done.
        drop: Leave those out; False if the train loop does that by itself.
        pad: Number of empty batches in their place, so that each worker gets
            the batches that it would have got.
        then: Called once, right before the first new batch is loaded: after
            the data loader has drawn its own seed, before augmentation draws.
    """

    def __init__(
        self,
        inner: Any,
        done: int,
        drop: bool,
        then: Callable[[], None],
        pad: int = 0,
    ) -> None:
        self.inner, self.done, self.drop = inner, done, drop
        self.pad = pad
        self.then: Callable[[], None] | None = then

    def __iter__(self) -> Iterator[list[int]]:
        while self.pad:
            self.pad -= 1
            yield []
        for batch in self.inner:
            if self.done > 0:
                self.done -= 1
                if self.drop:
                    continue
            else:
                self._arrive()
            yield batch
        if self.done == 0:
            self._arrive()  # the whole epoch was done

    def __len__(self) -> int:
        return len(self.inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def begin_anew(self) -> None:
        """Start the following epochs from their first batch."""
        self.done, self.pad, self.then = 0, 0, None

    def _arrive(self) -> None:
        if self.then is not None:
            then, self.then = self.then, None
            then()


class WithoutEmpty:
    """Data loader that skips empty batches.

    All else is the loader's, to read and to write.

    Args:
        inner: The data loader.
        restarted: Called when somebody lets go of its workers, as hooks do
            that change the pipeline.
    """

    def __init__(
        self, inner: DataLoader, restarted: Callable[[], None]
    ) -> None:
        vars(self).update(inner=inner, restarted=restarted)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == '_iterator':
            self.restarted()
        setattr(self.inner, name, value)

    def __iter__(self) -> Iterator[Any]:
        return (batch for batch in self.inner if batch is not None)

    def __len__(self) -> int:
        return len(self.inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def resume_batches(
    loader: DataLoader,
    done: int,
    drop: bool,
    then: Callable[[], None],
    pad: int = 0,
) -> ResumedBatches:
    """Make a data loader start after ``done`` batches."""
    batches = ResumedBatches(loader.batch_sampler, done, drop, then, pad)
    # DataLoader forbids it, to keep its settings consistent. They stay so:
    # the batches are the same.
    object.__setattr__(loader, 'batch_sampler', batches)
    return batches
