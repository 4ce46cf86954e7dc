"""Restore random state and data position on resume."""

from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmmgd.checkpoints.latest import find_latest
from mmmgd.checkpoints.state_dicts import SECTION
from mmmgd.engine.origin import check_changes, origin_of
from mmmgd.engine.position import (
    batches_done,
    position,
    repeat_switches,
    reseed_loader,
    restore_rng,
    resume_workers,
)
from mmmgd.engine.runner import hook_of, model_of
from mmmgd.engine.schedule import follow, schedule_changes
from mmmgd.engine.section import check_groups
from mmmgd.registry import HOOKS

from .run_state_hook import RunStateHook


@HOOKS.register_module()
class ResumeHook(Hook):
    """Makes a resumed run equal to one that was never interrupted.

    MMEngine restores weights, optimizer, schedule and counters. Added here:
    the random state of each rank, the seed of the sampler, the position in
    the epoch, and the validation that was due when the run stopped.

    What differs from the config that wrote the checkpoint is listed. A
    schedule that does goes on as in an unbroken run of the new config.

    Args:
        validate: Whether to run a validation that was due.
        allow_changes: Whether the file of the teacher may have changed.
    """

    # Last in `before_train`: a validation needs all hooks to be ready.
    priority = 'LOWEST'

    def __init__(
        self, validate: bool = True, allow_changes: bool = False
    ) -> None:
        self.validate = validate
        self.allow_changes = allow_changes
        self.origin: dict[str, str] | None = None
        self.schedule: list[str] = []  # what has changed in it
        self.resumed = False
        self.run: dict[str, Any] | None = None
        self.done = 0  # batches of the current epoch

    def before_run(self, runner: Runner) -> None:
        """Choose the newest undamaged file if the runner is to find one."""
        if runner._resume and runner._load_from is None:
            runner._load_from = find_latest(
                runner.work_dir, log=runner.logger.warning
            )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Read the saved run state, and compare the config that wrote it.

        Raises:
            CheckpointError: If the teacher's file or the optimizer has
                changed.
        """
        if not runner._resume:
            return
        self.resumed = True
        section = checkpoint.get(SECTION, {})
        self.run = section.get('run')
        if self.run:
            self.done = batches_done(runner, checkpoint['meta'], self.run)
        self.origin = origin_of(model_of(runner), runner.cfg)
        if old := section.get('origin'):  # else of an earlier version
            lines = check_changes(old, self.origin, self.allow_changes)
            if lines:
                runner.logger.warning(
                    'Resume: changed since the checkpoint was written:\n  '
                    + '\n  '.join(lines)
                )
        check_groups(checkpoint, runner.optim_wrapper)
        saved: Any = checkpoint.get('param_schedulers')
        built: Any = runner.param_schedulers
        if isinstance(saved, list) and isinstance(built, list):
            states = [scheduler.state_dict() for scheduler in built]
            self.schedule = schedule_changes(saved, states)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add what the training is made of."""
        checkpoint.setdefault(SECTION, {})['origin'] = self.origin

    def before_train(self, runner: Runner) -> None:
        """Restore random state and position; validate if that was due."""
        if self.origin is None and is_main_process():
            self.origin = origin_of(model_of(runner), runner.cfg)
        if not self.resumed:
            return
        if self.schedule:
            follow(runner, self.schedule)
        self.resumed, run = False, self.run
        if run is None:
            runner.logger.warning(
                'Resume: the checkpoint has no random states of mmmgd, so '
                'augmentation and dropout differ from an unbroken run.'
            )
            return
        reseed_loader(runner, run['sampler_seed'])
        restore_rng(runner, run['rng'])
        due = self.validate and not run['validated'] and self.done == 0
        if due and _validation_is_due(runner):
            runner.logger.info('Resume: validating first, as was due.')
            runner.val_loop.run()
        states = hook_of(runner, RunStateHook).workers
        pad = resume_workers(runner, states, run['rng'])
        repeat_switches(runner, self.done)
        position(runner, states, self.done, pad)


def _validation_is_due(runner: Runner) -> bool:
    """Whether the train loop would have validated at this point."""
    loop = runner.train_loop
    if runner.val_loop is None:
        return False
    loop._decide_current_val_interval()
    if isinstance(loop, IterBasedTrainLoop):
        done, last = loop._iter, loop._max_iters
    else:
        done, last = loop._epoch, loop._max_epochs
    return done >= loop.val_begin and (
        done % loop.val_interval == 0 or done == last
    )
