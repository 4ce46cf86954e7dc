"""``loss_weight='auto'``: α measured on the first steps, then frozen."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.logging import print_log
from torch import Tensor

from mmmgd.config import check_keys

# The authors' rule: a distillation loss near that of the task (yzd-v/MGD
# issue 2), 0.1 to 2 times as large (yzd-v/FGD issue 11).
TARGET_RATIO = 1.0
STEPS = 100


class AutoWeight:
    """Finds the weight that brings a loss to a share of the task's.

    Over the first steps the weight follows moving averages of both losses, so
    it is right from the first step on; then it is frozen. A loss that is a sum
    over positions is weighed by position, so that another crop, in a resumed
    run too, leaves the ratio as it is.

    Args:
        name: Name of the loss, for the log.
        target_ratio: Distillation loss / task loss to aim at.
        steps: Training steps to measure over.

    Attributes:
        seen: Steps that were measured.
        averages: Moving averages of the task's loss and of the distillation
            loss of one position, without a weight.
    """

    def __init__(
        self, name: str, target_ratio: float = TARGET_RATIO, steps: int = STEPS
    ) -> None:
        for key, value in (('target_ratio', target_ratio), ('steps', steps)):
            if not isinstance(value, (int, float)) or not (
                0 < value < math.inf
            ):
                raise ValueError(
                    f'Expected {key} of distill[{name!r}].auto to be a number '
                    f'above 0, but got {value!r}.'
                )
        self.name = name
        self.target_ratio = target_ratio
        self.steps = steps
        self.seen = 0
        self.averages: tuple[float, ...] = (0.0, 0.0)

    @property
    def frozen(self) -> bool:
        """Whether the weight does not change any more."""
        return self.seen >= self.steps

    def weight(self, positions: int = 1) -> float:
        """Return α for maps of that many positions, summed over the points."""
        task, one = self.averages
        return self.target_ratio * task / one / positions if one else 1.0

    def measure(self, task: Tensor, loss: Tensor, positions: int = 1) -> None:
        """Take a training step into account; the same on all ranks.

        Args:
            task: The student's own loss.
            loss: The distillation loss without a weight.
            positions: Number of positions that it is a sum over.

        Raises:
            ValueError: If one of them is 0, so that no weight would help.
        """
        if self.frozen:
            return
        both = torch.stack([task.detach(), loss.detach()]).float()
        all_reduce(both, 'mean')
        values = both[0].item(), both[1].item() / positions
        if not all(map(math.isfinite, values)):
            return  # FiniteHook stops the run, and knows more
        # About the last quarter of the steps so far counts: the first ones,
        # when generators know nothing, are soon forgotten.
        share = 4 / (self.seen + 4)
        self.averages = tuple(
            old + share * (new - old)
            for old, new in zip(self.averages, values, strict=True)
        )
        self._check()
        self.seen += 1
        if self.frozen:
            self._log(positions)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {'seen': self.seen, 'averages': list(self.averages)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a saved run was."""
        self.seen = state['seen']
        self.averages = tuple(state['averages'])

    def _check(self) -> None:
        for value, what in zip(
            self.averages, ("the student's own loss", 'it'), strict=True
        ):
            if value == 0:
                raise ValueError(
                    f"distill[{self.name!r}] has loss_weight='auto', but "
                    f'{what} is 0 in the first step, so that no weight brings '
                    'them to a ratio. Write loss_weight as a number, or look '
                    'for the cause: `python -m mmmgd calibrate CONFIG`.'
                )

    def _log(self, positions: int) -> None:
        print_log(
            f'{self.name}: loss_weight={self.weight(positions):.4g} from here '
            f'on, for a ratio of {self.target_ratio:g} to the task loss '
            f'(measured over {self.steps} steps'
            + (f'; for {positions} positions).' if positions > 1 else ').'),
            logger='current',
        )


def auto_weight(name: str, term: Mapping[str, Any]) -> AutoWeight | None:
    """Read an entry of ``distill``; None if its weight is a number.

    Raises:
        ValueError: If it has options of 'auto' without it.
    """
    options = term.get('auto')
    if term['loss'].get('loss_weight') == 'auto':
        known = ('target_ratio', 'steps')
        check_keys(f'distill.{name}.auto', options or {}, known)
        return AutoWeight(name, **(options or {}))
    if options is not None:
        raise ValueError(
            f'distill[{name!r}] has `auto`, but its loss_weight is '
            f"{term['loss'].get('loss_weight')!r}. Write loss_weight='auto', "
            'or leave `auto` out.'
        )
    return None
