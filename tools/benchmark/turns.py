"""Time the steps of two trainings that take turns, step by step.

The two run in two threads of one process, of which one computes at a time, so
that what disturbs the machine disturbs both.
"""

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

WARM_UP = 40  # steps, of which the first ones allocate
PATIENCE = 300  # seconds to wait for the other's step
FOREVER = 10**6  # epochs


class EnoughError(Exception):
    """All steps are measured."""


class TurnHook(Hook):
    """Wait before each step until the other has done one; time the own.

    Args:
        mine: Is released when the other has done a step.
        other: Is released here after each step.
        steps: How many to measure, after those that warm up.
    """

    def __init__(
        self,
        mine: threading.Semaphore,
        other: threading.Semaphore,
        steps: int,
    ) -> None:
        self.mine, self.other = mine, other
        self.left = WARM_UP + steps
        self.seconds: list[float] = []

    def before_train(self, runner: Runner) -> None:
        """Put the turn around the whole step: its hooks and its training."""
        loop: Any = runner.train_loop
        step = loop.run_iter

        def run_iter(index: int, batch: Any) -> None:
            if not self.mine.acquire(timeout=PATIENCE):
                raise TimeoutError('The other training has ended early.')
            start = time.thread_time()
            step(index, batch)
            self.seconds.append(time.thread_time() - start)
            self.other.release()
            if len(self.seconds) == self.left:
                raise EnoughError

        loop.run_iter = run_iter


def take_turns(
    first: Config, second: Config, folder: Path, steps: int
) -> tuple[list[float], list[float]]:
    """Train two models; return the processor's seconds of each step.

    Args:
        first: A config.
        second: Another one.
        folder: For what both write.
        steps: How many to measure of each, after the first ones.
    """
    turns = threading.Semaphore(1), threading.Semaphore(0)
    hooks = [TurnHook(*turns, steps), TurnHook(*turns[::-1], steps)]
    runners = []
    for name, cfg, hook in zip('ab', (first, second), hooks, strict=True):
        cfg.work_dir, cfg.experiment_name = str(folder / name), name
        cfg.log_level = 'ERROR'
        cfg.train_cfg.max_epochs = cfg.train_cfg.val_interval = FOREVER
        cfg.default_hooks.checkpoint.interval = FOREVER
        runners.append(Runner.from_cfg(cfg))
        runners[-1].register_hook(hook)
    # Both beside the main thread, which has its memory from another place.
    threads = [
        threading.Thread(target=_train, args=(runner,), daemon=True)
        for runner in runners
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return hooks[0].seconds[WARM_UP:], hooks[1].seconds[WARM_UP:]


def _train(runner: Runner) -> None:
    torch.set_num_threads(1)
    with contextlib.suppress(EnoughError):
        runner.train()
