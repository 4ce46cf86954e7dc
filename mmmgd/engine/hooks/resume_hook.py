"""Restore random state and data position on resume."""

from functools import partial
from typing import Any

from mmengine.dataset import worker_init_fn
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner, set_random_seed

from mmmgd.checkpoints.latest import find_latest
from mmmgd.checkpoints.state_dicts import SECTION
from mmmgd.engine.batches import WithoutEmpty, resume_batches
from mmmgd.engine.runner import hook_of
from mmmgd.registry import HOOKS
from mmmgd.rng import mix, rng_state, set_rng_state

from .run_state_hook import RunStateHook


@HOOKS.register_module()
class ResumeHook(Hook):
    """Makes a resumed run equal to one that was never interrupted.

    MMEngine restores weights, optimizer, schedule and counters. Added here:
    the random state of each rank, the seed of the sampler, the position in
    the epoch, and the validation that was due when the run stopped.

    Args:
        validate: Whether to run a validation that was due.
    """

    # Last in `before_train`: a validation needs all hooks to be ready.
    priority = 'LOWEST'

    def __init__(self, validate: bool = True) -> None:
        self.validate = validate
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
        """Read the saved run state and the position in the epoch."""
        if runner._resume:
            self.resumed = True
            self.run = checkpoint.get(SECTION, {}).get('run')
            if self.run:
                self.done = _batches_done(runner, checkpoint['meta'], self.run)

    def before_train(self, runner: Runner) -> None:
        """Restore random state and position; validate if that was due."""
        if not self.resumed:
            return
        self.resumed, run = False, self.run
        if run is None:
            runner.logger.warning(
                'Resume: the checkpoint has no random states of mmmgd, so '
                'augmentation and dropout differ from an unbroken run.'
            )
            return
        _reseed_loader(runner, run['sampler_seed'])
        _restore_rng(runner, run['rng'])
        due = self.validate and not run['validated'] and self.done == 0
        if due and _validation_is_due(runner):
            runner.logger.info('Resume: validating first, as was due.')
            runner.val_loop.run()
        pad = self._resume_workers(runner, run['rng'])
        _repeat_switches(runner, self.done)
        self._position(runner, pad)

    def _resume_workers(self, runner: Runner, states: list[dict]) -> int:
        """Restore the workers' states; return how many to skip at first."""
        book, rank = hook_of(runner, RunStateHook).workers, get_rank()
        saved = states[rank].get('workers') if rank < len(states) else None
        if book is None or not saved:
            return 0
        if len(saved['states']) != book.count:
            runner.logger.warning(
                f'Resume: the data loader had {len(saved["states"])} workers '
                f'and now has {book.count}. Augmentation differs from an '
                'unbroken run.'
            )
            return 0
        endless = isinstance(runner.train_loop, IterBasedTrainLoop)
        return book.resume(saved, rotate=endless)

    def _position(self, runner: Runner, pad: int) -> None:
        """Let the data loader begin at the right batch and state."""
        loop: Any = runner.train_loop
        loader = loop.dataloader
        restore = partial(set_rng_state, rng_state())
        if isinstance(loop, IterBasedTrainLoop):
            # MMEngine goes through the batches that are done; a sampler with
            # `skip` it moves without asking it for batches.
            moved = hasattr(loader.sampler, 'skip')
            resume_batches(loader, 0 if moved else loop._iter, False, restore)
        elif self.done or loader.persistent_workers:
            # An unbroken run would not start the workers here, which draws.
            batches = resume_batches(loader, self.done, True, restore, pad)
            book = hook_of(runner, RunStateHook).workers

            def begin_anew() -> None:
                """Start the workers where an unbroken run does, too."""
                if self.done == 0:
                    batches.begin_anew()
                    if book:
                        book.end_epoch()

            loop.dataloader = WithoutEmpty(loader, begin_anew)


def _restore_rng(runner: Runner, states: list[dict]) -> None:
    rank, world = get_rank(), get_world_size()
    if world != len(states):
        runner.logger.warning(
            f'Resume: the checkpoint was written by {len(states)} processes, '
            f'now there are {world}. The batches differ from here on.',
        )
    if rank < len(states):
        set_rng_state(states[rank])
    else:  # a rank that the earlier run did not have
        set_random_seed(mix(runner.seed, rank, runner.iter) % 2**32)


def _batches_done(runner: Runner, meta: dict, run: dict) -> int:
    """Return the number of batches of the current epoch that are done.

    Corrects the count of iterations, which the runner is going to read, if
    an epoch has become shorter or longer.
    """
    if isinstance(runner.train_loop, IterBasedTrainLoop):
        return 0
    old, new = run['epoch_length'], len(runner.train_dataloader)
    done = meta['iter'] - meta['epoch'] * old
    if old != new:
        done = round(done * new / old)
        meta['iter'] = meta['epoch'] * new + done
        runner.logger.warning(
            f'Resume: an epoch had {old} iterations and now has {new}. '
            'Schedules that count iterations go on from their old count.'
        )
    return done


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


def _repeat_switches(runner: Runner, done: int) -> None:
    """Call hooks that act once and acted before the resumed position.

    Those of mmdet that change the pipeline would do it at the next epoch, and
    start the workers anew, which the unbroken run did earlier.
    """
    loop: Any = runner.train_loop
    if done == 0 and loop._epoch == 0:
        return
    epoch, loop._epoch = loop._epoch, loop._epoch - (done == 0)
    for hook in runner.hooks:
        if hasattr(hook, '_has_switched'):
            hook.before_train_epoch(runner)
    loop._epoch = epoch


def _reseed_loader(runner: Runner, sampler_seed: int | None) -> None:
    """Seed sampler and workers as in the resumed run.

    Without a seed in the config each start draws one, and these were built
    before the checkpoint was read.
    """
    loader: Any = runner.train_dataloader
    batches: Any = getattr(loader.batch_sampler, 'sampler', None)
    for sampler in (loader.sampler, batches):
        if sampler_seed is not None and hasattr(sampler, 'seed'):
            sampler.seed = sampler_seed
    init: Any = loader.worker_init_fn
    while hasattr(init, 'inner'):  # ours are around it
        init = init.inner
    if init is not None and getattr(init, 'func', None) is worker_init_fn:
        init.keywords['seed'] = runner.seed
