"""A line in the terminal that says how far a training is."""

import logging
import sys
import time
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from mmmgd.engine.runner import model_of
from mmmgd.registry import HOOKS

SECONDS = 0.5  # from one drawing to the next


@HOOKS.register_module()
class ProgressHook(Hook):
    """Show epoch, step, losses, ratio and time left below the log.

    In a terminal only; elsewhere the log's lines say the same.

    Args:
        enabled: False for never.

    Example:
        >>> default_hooks = dict(
        ...     progress=dict(type='mmmgd.ProgressHook', enabled=False)
        ... )
    """

    priority = 'VERY_LOW'  # after the losses are known, and logged

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self.progress: Progress | None = None
        self.drawn = 0.0

    def before_train(self, runner: Runner) -> None:
        """Begin, if somebody looks."""
        console = Console()
        if not (self.enabled and runner.rank == 0 and console.is_terminal):
            return
        # Without its thread: data loaders fork.
        self.progress = Progress(
            TextColumn('{task.description}'),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn('{task.fields[losses]}'),
            TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self.task = self.progress.add_task(
            'training',
            total=runner.max_iters,
            completed=runner.iter,
            losses='',
        )
        self.progress.start()
        _write_above(runner.logger)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, *args: Any, **kwargs: Any
    ) -> None:
        """Draw, not too often."""
        done = runner.iter + 1
        now = time.monotonic()
        if self.progress is None or (
            now - self.drawn < SECONDS and done < runner.max_iters
        ):
            return
        self.drawn = now
        by_epoch = runner.max_epochs > 1
        self.progress.update(
            self.task,
            completed=done,
            description=f'epoch {runner.epoch + 1}/{runner.max_epochs}'
            if by_epoch
            else 'step',
            losses=losses_of(runner),
        )
        self.progress.refresh()

    def after_train(self, runner: Runner) -> None:
        """Take the line away."""
        self.close(runner)

    def after_run(self, runner: Runner) -> None:
        """Take the line away where the training ended early."""
        self.close(runner)

    def close(self, runner: Runner) -> None:
        """Give the terminal back as it was."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
            _write_above(runner.logger)


def losses_of(runner: Runner) -> str:
    """Return the newest losses: of the task, of each term, their ratio."""
    scalars = runner.message_hub.log_scalars
    terms = getattr(model_of(runner), 'terms', {})
    words = []
    for name, keys in {
        'loss': ['loss'],
        **{name: term.log_names for name, term in terms.items()},
        'ratio': ['distill_ratio'],
    }.items():
        found = [scalars.get(f'train/{key}') for key in keys]
        if all(found):
            value = sum(float(one.current()) for one in found if one)
            words.append(f'{name} {value:.3g}')
    return '  '.join(words)


def _write_above(logger: logging.Logger) -> None:
    """Let a log write to what is the terminal now, above the line."""
    for handler in logger.handlers:
        if type(handler) is logging.StreamHandler:
            handler.setStream(sys.stdout)
