"""Save the random state and position that an exact resume needs."""

from typing import Any

from mmengine.dist import all_gather_object
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmmgd.checkpoints.state_dicts import SECTION
from mmmgd.engine.workers import WorkerStates
from mmmgd.registry import HOOKS
from mmmgd.rng import rng_state


@HOOKS.register_module()
class RunStateHook(Hook):
    """Puts the random state of each rank into each checkpoint.

    Files are written by rank 0 alone, so the states are gathered before, at
    the moments at which a file may follow.

    Args:
        workers: Whether the state of each data loader worker is part of it:
            32 kB a worker. Without it a resumed run augments differently.
    """

    # After DistillHook (LOW), before CheckpointHook (VERY_LOW).
    priority = 80

    def __init__(self, workers: bool = True) -> None:
        self.note_workers = workers
        self.state: dict[str, Any] = {}
        self.workers: WorkerStates | None = None
        # Batches of this epoch that this process has trained on.
        self.consumed: int | None = None

    def capture(
        self, runner: Runner, iteration: int, validated: bool = False
    ) -> None:
        """Gather the state of all ranks.

        Args:
            runner: The runner.
            iteration: Number of iterations that are done.
            validated: Whether the validation that is due then is done too.
        """
        workers = self.workers and self.workers.state(self.consumed)
        endless = isinstance(runner.train_loop, IterBasedTrainLoop)
        self.state = {
            'iter': iteration,
            'epoch_length': 0 if endless else len(runner.train_dataloader),
            'validated': validated,
            'sampler_seed': getattr(
                runner.train_dataloader.sampler, 'seed', None
            ),
            'rng': all_gather_object({**rng_state(), 'workers': workers}),
        }

    def before_train(self, runner: Runner) -> None:
        """Set up the recording of the workers' states."""
        loader = runner.train_dataloader
        # A finite one is begun anew by an endless loop, in between.
        endless = isinstance(runner.train_loop, IterBasedTrainLoop)
        found = not endless or hasattr(loader.sampler, 'skip')
        if self.note_workers and loader.num_workers and found:
            self.workers = WorkerStates(loader)

    def before_train_epoch(self, runner: Runner) -> None:
        """Start counting this epoch's batches."""
        self.consumed = 0
        if self.workers:
            self.workers.begin_epoch()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, *args: Any, **kwargs: Any
    ) -> None:
        """Gather the state if a checkpoint of this iteration follows."""
        assert self.consumed is not None
        self.consumed += 1
        if any(_saves_now(hook, runner) for hook in runner.hooks):
            self.capture(runner, runner.iter + 1)

    def after_train_epoch(
        self, runner: Runner, metrics: dict | None = None
    ) -> None:
        """Gather the state: a checkpoint of the epoch may follow."""
        self.consumed = None
        if self.workers:
            self.workers.end_epoch()
        self.capture(runner, runner.iter)

    def after_val_epoch(
        self, runner: Runner, metrics: dict | None = None
    ) -> None:
        """Gather again: CheckpointHook may rewrite the last file now."""
        if self.state:  # not in a validation of its own
            self.capture(runner, runner.iter, validated=True)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the state, if it is that of this file's iteration."""
        if self.state.get('iter') == checkpoint['meta']['iter']:
            checkpoint.setdefault(SECTION, {})['run'] = self.state


def _saves_now(hook: Hook, runner: Runner) -> bool:
    """Whether a hook writes a checkpoint after this iteration."""
    if not isinstance(hook, CheckpointHook) or hook.by_epoch:
        return False
    return hook.every_n_train_iters(
        runner, hook.interval, hook.save_begin
    ) or (hook.save_last and hook.is_last_train_iter(runner))
