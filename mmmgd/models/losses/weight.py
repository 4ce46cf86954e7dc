"""The numbers that losses are configured with."""

import math
from typing import Any

from torch import nn


class WeightedLoss(nn.Module):
    """Hold the weight that every loss has.

    Args:
        loss_weight: Weight of the loss. A tuned value, therefore without a
            default: it stands once, in the config.
    """

    def __init__(self, loss_weight: float) -> None:
        super().__init__()
        self.loss_weight = number('loss_weight', loss_weight)


def number(name: str, value: Any) -> float:
    """Refuse what would train without a word: text, nan, or a reward."""
    if isinstance(value, (int, float)) and 0 <= value < math.inf:
        return value
    raise ValueError(
        f'Expected `{name}` to be a finite number, 0 or above, but got '
        f'{value!r}.'
    )


def temperature(tau: Any) -> float:
    """Refuse a temperature that no logits could be divided by."""
    if number('tau', tau) == 0:
        raise ValueError('Expected `tau` above 0, but got 0.')
    return tau
