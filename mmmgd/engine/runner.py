"""What hooks ask of a Runner."""

from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def model_of(runner: Runner) -> Any:
    """Return the model itself, from inside DDP or another wrapper."""
    model: Any = runner.model
    return model.module if is_model_wrapper(model) else model
