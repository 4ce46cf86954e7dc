"""Optimizers: which fit, and mixed precision on the CPU."""

import difflib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn

from mmmgd.config import ALIKE
from mmmgd.registry import OPTIM_WRAPPERS


def check_optimizer(runner: Runner) -> None:
    """Refuse several optimizers, and a misspelled name of parameters.

    Raises:
        ValueError: Naming the key.
    """
    wrapper = runner.optim_wrapper
    if isinstance(wrapper, OptimWrapperDict):
        raise ValueError(
            'Expected one optimizer in optim_wrapper, for student and '
            f'connectors together, but got several: {[*wrapper.keys()]}. Give '
            'parts of the model rates of their own by '
            'optim_wrapper.paramwise_cfg.custom_keys.'
        )
    config = (runner.cfg.get('optim_wrapper') or {}).get('paramwise_cfg') or {}
    names = [name for name, _ in runner.model.named_parameters()]
    words = {word for name in names for word in name.split('.')}
    for key in config.get('custom_keys') or {}:
        if not any(key in name for name in names):
            close = difflib.get_close_matches(key, words, 1, ALIKE)
            if close:
                raise ValueError(
                    'Expected optim_wrapper.paramwise_cfg.custom_keys to name '
                    f'parameters, but none has {key!r} in its name. Did you '
                    f'mean {close[0]!r}?'
                )


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Runs the forward pass on the CPU in bfloat16.

    bfloat16 has the range of float32, so gradients need no scaling.

    Arguments are those of ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter autocast around the forward pass."""
        with (
            super().optim_context(model),
            torch.autocast('cpu', dtype=torch.bfloat16),
        ):
            yield
