"""The weight and the temperature that losses are configured with."""

import math
from typing import Any

from torch import nn


class WeightedLoss(nn.Module):
    """A loss with a weight.

    Args:
        loss_weight: Weight of the loss. A tuned value, therefore without a
            default: it stands once, in the config.
    """

    def __init__(self, loss_weight: float) -> None:
        super().__init__()
        self.loss_weight = number('loss_weight', loss_weight)


def number(name: str, value: Any) -> float:
    """Return a finite number, 0 or above; refuse anything else."""
    if isinstance(value, (int, float)) and 0 <= value < math.inf:
        return value
    raise ValueError(
        f'Expected `{name}` to be a finite number, 0 or above, but got '
        f'{value!r}.'
    )


def temperature(tau: Any) -> float:
    """Return a temperature above 0; refuse anything else."""
    if number('tau', tau) == 0:
        raise ValueError('Expected `tau` above 0, but got 0.')
    return tau
