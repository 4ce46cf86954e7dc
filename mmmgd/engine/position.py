"""The place in the data at which a run is resumed, and its randomness."""

from functools import partial
from typing import Any

from mmengine.dataset import worker_init_fn
from mmengine.dist import get_rank, get_world_size
from mmengine.runner import IterBasedTrainLoop, Runner, set_random_seed

from mmmgd.rng import mix, rng_state, set_rng_state

from .batches import WithoutEmpty, resume_batches
from .workers import WorkerStates


def batches_done(runner: Runner, meta: dict, run: dict) -> int:
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


def restore_rng(runner: Runner, states: list[dict]) -> None:
    """Restore the random state of this rank."""
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


def reseed_loader(runner: Runner, sampler_seed: int | None) -> None:
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


def resume_workers(
    runner: Runner, book: WorkerStates | None, states: list[dict]
) -> int:
    """Restore the workers' states; return how many to skip at first."""
    rank = get_rank()
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


def repeat_switches(runner: Runner, done: int) -> None:
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


def position(
    runner: Runner, book: WorkerStates | None, done: int, pad: int
) -> None:
    """Let the data loader begin at the right batch and state."""
    loop: Any = runner.train_loop
    loader = loop.dataloader
    restore = partial(set_rng_state, rng_state())
    if isinstance(loop, IterBasedTrainLoop):
        # MMEngine goes through the batches that are done; a sampler with
        # `skip` it moves without asking it for batches.
        moved = hasattr(loader.sampler, 'skip')
        resume_batches(loader, 0 if moved else loop._iter, False, restore)
    elif done or loader.persistent_workers:
        # An unbroken run would not start the workers here, which draws.
        batches = resume_batches(loader, done, True, restore, pad)

        def begin_anew() -> None:
            """Start the workers where an unbroken run does, too."""
            if done == 0:
                batches.begin_anew()
                if book:
                    book.end_epoch()

        loop.dataloader = WithoutEmpty(loader, begin_anew)
