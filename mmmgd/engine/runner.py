"""Find the model and the hooks of a Runner."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmmgd.config import SHARDED, sharded_text


def check_not_sharded(runner: Any) -> None:
    """Refuse runs that shard the parameters of the model.

    Raises:
        ValueError: If it is no plain Runner (MMEngine's FlexibleRunner runs
            FSDP and DeepSpeed), or its model is wrapped by FSDP.
    """
    wrappers = {c.__name__ for c in type(runner.model).__mro__}
    found = [*sorted(wrappers & SHARDED)]
    if not isinstance(runner, Runner):
        found.append(type(runner).__name__)
    if found:
        raise ValueError(sharded_text(found[0]))


def model_of(runner: Runner) -> Any:
    """Return the model without DDP or another wrapper."""
    model: Any = runner.model
    # To ask the registry of wrappers takes 50 microseconds, at each step; so
    # does asking a module for an attribute that it does not have.
    wrapped = 'module' in model._modules and is_model_wrapper(model)
    return model.module if wrapped else model


def hook_of(runner: Runner, kind: type[Hook]) -> Any:
    """Return the registered hook of a class.

    Raises:
        RuntimeError: If there is none; DistillHook registers them.
    """
    for hook in runner.hooks:
        if isinstance(hook, kind):
            return hook
    raise RuntimeError(
        f'Expected the run to have a hook {kind.__name__}, but it has '
        f'{[type(hook).__name__ for hook in runner.hooks]}. '
        'mmmgd.DistillHook adds what is missing of ours.'
    )
