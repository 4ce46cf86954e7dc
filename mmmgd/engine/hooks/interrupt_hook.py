"""Save a checkpoint and exit on SIGINT or SIGTERM."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from typing import Any

import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size
from mmengine.fileio import get_file_backend
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.distributed import distributed_c10d

from mmmgd.checkpoints.atomic import BACKEND
from mmmgd.engine.runner import hook_of
from mmmgd.registry import HOOKS

from .run_state_hook import RunStateHook

# Seconds in which a second signal counts as the first: a launcher passes on
# to its processes what the terminal has sent them already.
REPEATED = 3.0


@HOOKS.register_module()
class InterruptHook(Hook):
    """Saves and exits on SIGINT (exit code 130) and SIGTERM (143).

    The step that runs is finished first, as is a validation; a second signal
    ends the process at once. All ranks stop after the same step.

    Args:
        filename: Name of the checkpoint that it writes.
        signals: Names of the signals to act on.

    Raises:
        ValueError: If there is no signal of a name.
    """

    priority = 'LOWEST'

    def __init__(
        self,
        filename: str = 'interrupted.pth',
        signals: Sequence[str] = ('SIGINT', 'SIGTERM'),
    ) -> None:
        known = signal.Signals.__members__
        for name in signals:
            if name not in known:
                raise ValueError(
                    'Expected `signals` of mmmgd.InterruptHook to be names '
                    f"such as 'SIGTERM', but got {name!r}."
                )
        self.filename = filename
        self.signals = [known[name] for name in signals]
        self.signal: int | None = None
        self.noted = 0.0
        self.previous: dict[int, Any] = {}
        self.agreement: _Agreement | None = None

    def before_train(self, runner: Runner) -> None:
        """Install the signal handlers, if this is the main thread."""
        if threading.current_thread() is threading.main_thread():
            self.previous = {
                s: signal.signal(s, self._note) for s in self.signals
            }

    def after_train(self, runner: Runner) -> None:
        """Restore the previous signal handlers."""
        while self.previous:
            signal.signal(*self.previous.popitem())

    def after_train_iter(
        self, runner: Runner, batch_idx: int, *args: Any, **kwargs: Any
    ) -> None:
        """Save and exit after a signal, once no gradient is accumulated."""
        if self.signal is None or not _is_updated(runner):
            return
        done = runner.iter + 1
        if self.agreement is None:
            name = signal.Signals(self.signal).name
            runner.logger.warning(f'{name}: saving, then leaving.')
            self.agreement = _Agreement(done)
        if self.agreement.stops_at(done):
            self._leave(runner, done)

    def _note(self, signum: int, frame: Any) -> None:
        if self.signal is None:
            self.signal, self.noted = signum, time.monotonic()
        elif time.monotonic() - self.noted > REPEATED:
            for number, handler in self.previous.items():
                signal.signal(number, handler)
            os.kill(os.getpid(), signum)

    def _leave(self, runner: Runner, done: int) -> None:
        hook_of(runner, RunStateHook).capture(runner, done)
        runner.save_checkpoint(
            runner.work_dir,
            self.filename,
            meta=dict(epoch=runner.epoch, iter=done),
            by_epoch=False,
            backend_args=dict(backend=BACKEND),
        )
        if get_rank() == 0:
            backend = get_file_backend(backend_args=dict(backend=BACKEND))
            path = os.path.join(runner.work_dir, self.filename)
            backend.put(
                path.encode(), os.path.join(runner.work_dir, 'last_checkpoint')
            )
            runner.logger.warning(f'Saved {path}. Go on with --resume.')
        assert self.signal is not None
        self.after_train(runner)
        raise SystemExit(128 + self.signal)


class _Agreement:
    """Makes all ranks stop after the same step.

    It costs nothing until a signal comes. Then each rank writes its step to
    the group's store. Gradients are shared in each step, so no rank is more
    than one step ahead: when all have written, every rank knows it one step
    after the latest of them.
    """

    def __init__(self, done: int) -> None:
        self.at = done
        self.world = get_world_size()
        if self.world > 1:
            self.store = dist.PrefixStore(
                'mmmgd/stop', distributed_c10d._get_default_store()
            )
            self.store.set(str(get_rank()), str(done))

    def stops_at(self, done: int) -> bool:
        if self.world == 1:
            return True
        ranks = [str(rank) for rank in range(self.world)]
        if not self.store.check(ranks):
            return False
        latest = max(int(self.store.get(rank)) for rank in ranks)
        return done > latest


def _is_updated(runner: Runner) -> bool:
    """Whether the optimizer has used all accumulated gradients."""
    return getattr(runner.optim_wrapper, 'should_update', lambda: True)()
