"""Parameter schedules of a run that is resumed with another length."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.runner import IterBasedTrainLoop, Runner

# What a schedule counts (the last line: where it follows a metric), or takes
# from the optimizer. All else in its state is its config.
COUNTED = {
    *('last_step', '_global_step', '_last_value', 'base_values', 'verbose'),
    *('best', 'num_bad_epochs', 'cooldown_counter', 'last_epoch'),
}


def schedule_changes(
    old: Sequence[Mapping], new: Sequence[Mapping]
) -> list[str]:
    """Say in which values two lists of schedules' states differ."""
    if len(old) != len(new):
        return [f'{len(old)} schedules -> {len(new)}']
    lines = []
    for i, both in enumerate(zip(old, new, strict=True)):
        before, after = (
            {k: v for k, v in state.items() if k not in COUNTED}
            for state in both
        )
        lines += [
            f'param_scheduler[{i}].{k}: {before.get(k)} -> {after.get(k)}'
            for k in {**before, **after}
            if before.get(k) != after.get(k)
        ]
    return lines


def replay(
    schedulers: Sequence[Any], epochs: int, iterations: int, length: int
) -> None:
    """Step schedules as far as a run has come.

    Args:
        schedulers: At their beginning.
        epochs: Epochs that are done.
        iterations: Iterations that are done.
        length: Iterations of an epoch; 0 for one without end.
    """
    for scheduler in schedulers:
        # MMEngine warns where a schedule steps before its optimizer.
        scheduler.optimizer._global_step = iterations
    for i in range(1, iterations + 1):
        ends = length > 0 and i % length == 0 and i // length <= epochs
        for by_epoch in (False, True) if ends else (False,):
            for scheduler in schedulers:
                if scheduler.by_epoch == by_epoch:
                    scheduler.step()


def rebuild(runner: Runner) -> bool:
    """Put new schedules where an unbroken run of the config would have them.

    Begins with the values that the resumed optimizer began with.

    Returns:
        False if that is not defined: for one that follows a metric, for
        several optimizers, and without a config.
    """
    loop: Any = runner.train_loop
    optimizer: Any = runner.optim_wrapper
    cfg: Any = runner.cfg.get('param_scheduler')
    schedulers: Any = runner.param_schedulers
    if not (cfg and isinstance(schedulers, list)) or any(
        getattr(scheduler, 'need_val_args', False) for scheduler in schedulers
    ):
        return False
    for group in optimizer.param_groups:
        for key in [k for k in group if k.startswith('initial_')]:
            group[key.removeprefix('initial_')] = group[key]
        if 'betas' in group and 'initial_momentum' in group:
            rest = group['betas'][1:]
            group['betas'] = (group['initial_momentum'], *rest)
    schedulers = runner.param_schedulers = runner.build_param_scheduler(cfg)
    endless = isinstance(loop, IterBasedTrainLoop)
    length = 0 if endless else len(runner.train_dataloader)
    replay(schedulers, loop._epoch, loop._iter, length)
    return True


def follow(runner: Runner, changed: list[str]) -> None:
    """Let the schedules go on as in an unbroken run of this config."""
    old = runner.optim_wrapper.get_lr()
    what = (
        'goes on as in an unbroken run of the new one'
        if rebuild(runner)
        else 'goes on as it was, for nobody knows where the new one would be'
    )
    runner.logger.warning(
        f'Resume: the schedule has changed since the checkpoint was written '
        f'({"; ".join(changed)}), and {what}: learning rate {old} -> '
        f'{runner.optim_wrapper.get_lr()}.'
    )
