"""Register the hooks that a distilled run needs beside DistillHook."""

from mmengine.hooks import CheckpointHook, EMAHook, Hook, RuntimeInfoHook
from mmengine.runner import Runner

from .data_hook import DataHook
from .finite_hook import FiniteHook
from .interrupt_hook import InterruptHook
from .monitor_hook import MonitorHook
from .preflight_hook import PreflightHook
from .progress_hook import ProgressHook
from .resume_hook import ResumeHook
from .run_state_hook import RunStateHook
from .schedule_hook import ScheduleHook
from .work_dir_hook import WorkDirHook

COMPANIONS: tuple[type[Hook], ...] = (
    DataHook,
    ScheduleHook,
    FiniteHook,
    RunStateHook,
    InterruptHook,
    ResumeHook,
    PreflightHook,
    MonitorHook,
    ProgressHook,
    WorkDirHook,
)


def add_missing(runner: Runner) -> None:
    """Register each companion that the config does not name itself."""
    missing = [
        kind()
        for kind in COMPANIONS
        if not any(isinstance(hook, kind) for hook in runner.hooks)
    ]
    # A new list, for the runner goes through the old one at this moment,
    # and calls none that is added.
    runner._hooks = list(runner._hooks)
    for hook in missing:
        runner.register_hook(hook)
        hook.before_run(runner)


def check_hooks(runner: Runner, distill: type[Hook]) -> None:
    """Refuse our hooks twice, or in an order in which they cannot work.

    Args:
        runner: The runner with all hooks.
        distill: The class of DistillHook.

    Raises:
        ValueError: Naming the hook and what to change.
    """
    for kind in (distill, *COMPANIONS):
        count = sum(isinstance(hook, kind) for hook in runner.hooks)
        if count > 1:
            raise ValueError(
                f'Expected mmmgd.{kind.__name__} once, but the config has it '
                f'{count} times. Remove it from `custom_hooks`, or give it '
                'one name in `default_hooks`.'
            )
    # MMEngine's averages and its files, and what ours do before and after.
    for first, then in (
        (EMAHook, distill),
        (RuntimeInfoHook, FiniteHook),
        (FiniteHook, CheckpointHook),
        (RunStateHook, CheckpointHook),
    ):
        early = [h for h in runner.hooks if isinstance(h, first)]
        late = [h for h in runner.hooks if isinstance(h, then)]
        if any(
            runner.hooks.index(e) > runner.hooks.index(x)
            for e in early
            for x in late
        ):
            raise ValueError(
                f'Expected {first.__name__} to run before {then.__name__}, '
                f'but their priorities are {early[-1].priority} and '
                f'{late[0].priority}. Leave out `priority` where the config '
                'sets it.'
            )
