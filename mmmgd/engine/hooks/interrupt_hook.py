"""Save a checkpoint and exit on SIGINT or SIGTERM."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from typing import Any

from mmengine.dist import barrier, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmmgd.checkpoints.atomic import BACKEND, write
from mmmgd.checkpoints.latest import pointer_of
from mmmgd.engine.runner import hook_of
from mmmgd.engine.signals import Shielded, StopNotice
from mmmgd.registry import HOOKS

from .run_state_hook import RunStateHook

# Seconds in which a second signal counts as the first: a launcher passes on
# to its processes what the terminal has sent them already.
REPEATED = 3.0


@HOOKS.register_module()
class InterruptHook(Hook):
    """Saves and exits on SIGINT (exit code 130) and SIGTERM (143).

    The step that runs is finished first, as is a validation. A second signal
    ends the process at once, but not while it saves. A signal to one process
    stops all of a distributed run, after the same step.

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
        self.leaving = False
        self.previous: dict[int, Any] = {}
        self.notice: StopNotice | None = None

    def before_train(self, runner: Runner) -> None:
        """Install the signal handlers, if this is the main thread."""
        self.notice = StopNotice(runner.timestamp)
        for loop in (runner.train_loop, runner.val_loop):
            loader: Any = getattr(loop, 'dataloader', None)
            if loader is not None:
                loader.worker_init_fn = Shielded(loader.worker_init_fn)
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
        if self.notice and _is_updated(runner):
            signum = self.notice.read(runner.iter + 1, self.signal)
            if signum is not None:
                self._leave(runner, signum)

    def _note(self, signum: int, frame: Any) -> None:
        if self.leaving:
            return
        if self.signal is None:
            self.signal, self.noted = signum, time.monotonic()
        elif time.monotonic() - self.noted > REPEATED:
            for number, handler in self.previous.items():
                signal.signal(number, handler)
            os.kill(os.getpid(), signum)

    def _leave(self, runner: Runner, signum: int) -> None:
        self.leaving = True
        runner.logger.warning(
            f'{signal.Signals(signum).name}: saving, then leaving.'
        )
        done = runner.iter + 1
        hook_of(runner, RunStateHook).capture(runner, done)
        runner.save_checkpoint(
            runner.work_dir,
            self.filename,
            meta=dict(epoch=runner.epoch, iter=done),
            by_epoch=False,
            backend_args=dict(backend=BACKEND),
        )
        if get_rank() == 0:
            path = os.path.join(runner.work_dir, self.filename)
            write(pointer_of(runner.work_dir), path.encode())
            runner.logger.warning(f'Saved {path}. Go on with --resume.')
        barrier()  # a launcher ends all when the first one leaves
        if get_world_size() == 1:
            # Else a launcher may still pass the signal on to us.
            self.after_train(runner)
            self.leaving, self.signal = False, None
        raise SystemExit(128 + signum)


def _is_updated(runner: Runner) -> bool:
    """Whether the optimizer has used all accumulated gradients."""
    return getattr(runner.optim_wrapper, 'should_update', lambda: True)()
