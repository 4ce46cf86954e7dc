"""Find the model and the hooks of a Runner."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def model_of(runner: Runner) -> Any:
    """Return the model without DDP or another wrapper."""
    model: Any = runner.model
    return model.module if is_model_wrapper(model) else model


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
