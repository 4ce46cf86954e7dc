"""Report on a run before and just after it starts."""

import logging
from collections import Counter
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmmgd.engine.runner import model_of
from mmmgd.models import MGDDistill
from mmmgd.models.totals import mean_of
from mmmgd.registry import HOOKS
from mmmgd.report.preflight import preflight

# The authors' rule for α: a distillation loss 'similar to that of the
# original loss' (yzd-v/MGD issue 2), '0.1-2 may be fine' (yzd-v/FGD issue 11).
RATIOS = (0.1, 2.0)


@HOOKS.register_module()
class PreflightHook(Hook):
    """Prints the report before step 1, then watches the size of the losses.

    Over the first steps it adds up, for each entry of ``distill``, its loss
    and that of the task, and warns if their ratio lies outside the authors'
    range.

    Args:
        report: Whether to print the report.
        steps: Training steps to average the ratios over; 0 for no ratios.
        ratios: The least and the largest ratio that is not worth a warning.
    """

    priority = 'VERY_LOW'

    def __init__(
        self,
        report: bool = True,
        steps: int = 50,
        ratios: tuple[float, float] = RATIOS,
    ) -> None:
        self.report, self.steps, self.ratios = report, steps, ratios
        self.terms: Any = None
        self.seen = 0
        self.sums: Any = Counter()
        self.handle: Any = None

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Print the report."""
        model = model_of(runner)
        if all(t.freed for t in model.teachers.values()):  # resumed late
            return
        if self.report:
            report = preflight(model, runner.cfg, runner.world_size)
            print_log('\n'.join(report.lines), logger='current')
            for warning in report.warnings:
                print_log(warning, logger='current', level=logging.WARNING)
        if self.steps:
            self.terms = model.terms
            self.handle = model.register_forward_hook(self._note)

    def after_train_iter(self, runner: Runner, *args: Any, **kw: Any) -> None:
        """Report the ratios once there are enough steps."""
        if self.handle is not None and self.seen >= self.steps:
            self._finish()

    def after_train(self, runner: Runner) -> None:
        """Report them for a run that is shorter."""
        if self.handle is not None and self.seen:
            self._finish()

    def _note(self, model: MGDDistill, args: Any, output: Any) -> None:
        """Add up the losses of one training pass."""
        if not (model.training and isinstance(output, dict)):
            return
        ours = {n: k for k, term in self.terms.items() for n in term.log_names}
        for name, loss in output.items():
            if 'loss' in name:
                self.sums[ours.get(name, '')] += mean_of(loss).detach()
        self.seen += 1

    def _finish(self) -> None:
        self.handle.remove()
        self.handle = None
        task = float(self.sums['']) / self.seen
        for name, term in self.terms.items():
            ratio = float(self.sums[name]) / self.seen / max(task, 1e-12)
            count = len(term.pairs)
            points = f' over {count} points' if count > 1 else ''
            print_log(
                f'{name} / task loss = {ratio:.3g} ({ratio * task:.4g}{points}'
                f' / {task:.4g}, mean of the first {self.seen} steps).',
                logger='current',
            )
            if warning := ratio_warning(name, ratio, self.ratios):
                print_log(warning, logger='current', level=logging.WARNING)


def ratio_warning(
    name: str, ratio: float, ratios: tuple[float, float] = RATIOS
) -> str:
    """Say that a loss is far from the task's; '' if it is not."""
    low, high = ratios
    if low <= ratio <= high:
        return ''
    text = (
        f'[loss-ratio] distill.{name} is {ratio:.3g} times the task loss, '
        f"outside the {low:g} to {high:g} of MGD's authors, whose rule is to "
        'bring it near the task loss. '
    )
    if not ratio:
        return text + 'Its loss_weight is 0: nothing is distilled.'
    return text + (
        'If the student ends below its baseline, begin here: multiply its '
        f'loss_weight by about {1 / ratio:.2g}.'
    )
