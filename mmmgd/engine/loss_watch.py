"""Sum the losses of training steps without synchronising the device."""

from collections import Counter
from typing import Any

from torch import Tensor

from mmmgd.models import MGDDistill
from mmmgd.models.totals import mean_of, total


class LossWatch:
    """Sums the losses that a model returns in training, until it is reset.

    Args:
        model: The model, without its wrapper.

    Attributes:
        seen: Passes that were added up.
        latest: Losses of the last pass, with their graph; empty unless kept.
        keep: Whether to keep them, until the next pass.
    """

    def __init__(self, model: MGDDistill) -> None:
        terms: Any = model.terms
        self.terms = terms
        self.names = [n for term in terms.values() for n in term.log_names]
        self.keep = False
        self.latest: dict[str, Any] = {}
        self.reset()
        self._handle = model.register_forward_hook(self._note)

    def reset(self) -> None:
        """Set all sums to zero."""
        self.seen = 0
        self.task: Any = 0.0
        self.sums: Any = Counter()

    def close(self) -> None:
        """Remove the hook from the model."""
        self._handle.remove()

    def task_mean(self) -> float:
        """Return the mean of the student's own loss."""
        return float(self.task) / self.seen

    def ratios(self) -> dict[str, float]:
        """Return distillation loss / task loss of each pair of points."""
        task = max(float(self.task), 1e-12)
        return {name: float(self.sums[name]) / task for name in self.names}

    def term_ratios(self) -> dict[str, float]:
        """Return the same of each entry of ``distill``."""
        ratios = self.ratios()
        return {
            name: sum(ratios[one] for one in term.log_names)
            for name, term in self.terms.items()
        }

    def split(self) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the latest losses: the task's, and each entry's sum."""
        own = {k: v for k, v in self.latest.items() if k not in self.names}
        return total(own), {
            name: total({n: self.latest[n] for n in term.log_names})
            for name, term in self.terms.items()
        }

    def _note(self, model: MGDDistill, args: Any, output: Any) -> None:
        self.latest = {}
        if not (model.training and isinstance(output, dict)):
            return
        for name, loss in output.items():
            if name in self.names:
                self.sums[name] += mean_of(loss).detach()
            elif 'loss' in name:
                self.task += mean_of(loss).detach()
        self.seen += 1
        if self.keep:
            self.latest = {k: v for k, v in output.items() if 'loss' in k}
