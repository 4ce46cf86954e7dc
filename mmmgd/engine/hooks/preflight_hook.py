"""Report on a run before and just after it starts."""

import logging
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import Hook, LoggerHook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmmgd.engine.gradient_watch import GradientWatch
from mmmgd.engine.loss_watch import LossWatch
from mmmgd.engine.runner import model_of
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
    range, or if no gradient of distillation reached the student.

    Args:
        report: Whether to print the report.
        steps: Training steps to average the ratios over. None means the first
            log interval (10 to 50 steps), 0 no
            ratios.
        ratios: The least and the largest ratio that is not worth a warning.
    """

    priority = 'VERY_LOW'

    def __init__(
        self,
        report: bool = True,
        steps: int | None = None,
        ratios: tuple[float, float] = RATIOS,
    ) -> None:
        self.report, self.steps, self.ratios = report, steps, ratios
        self.watch: LossWatch | None = None
        self.gradients: GradientWatch | None = None

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
        if self.steps is None:
            loggers = [h for h in runner.hooks if isinstance(h, LoggerHook)]
            self.steps = min([50, *(max(10, h.interval) for h in loggers)])
        if self.steps:
            self.watch = LossWatch(model)
            self.gradients = GradientWatch(model)

    def after_train_iter(self, runner: Runner, *args: Any, **kw: Any) -> None:
        """Report the ratios once there are enough steps."""
        if self.watch and self.watch.seen >= (self.steps or 0):
            self._finish(self.watch)

    def after_train(self, runner: Runner) -> None:
        """Report them for a run that is shorter."""
        if self.watch and self.watch.seen:
            self._finish(self.watch)

    def _finish(self, watch: LossWatch) -> None:
        watch.close()
        self.watch = None
        self._warn_of_silence(watch)
        task = watch.task_mean()
        for name, ratio in watch.term_ratios().items():
            count = len(watch.terms[name].pairs)
            points = f' over {count} points' if count > 1 else ''
            print_log(
                f'{name} / task loss = {ratio:.3g} ({ratio * task:.4g}{points}'
                f' / {task:.4g}, mean of the first {watch.seen} steps).',
                logger='current',
            )
            if warning := ratio_warning(name, ratio, self.ratios):
                print_log(warning, logger='current', level=logging.WARNING)

    def _warn_of_silence(self, watch: LossWatch) -> None:
        """Name losses that are not 0, but teach nothing."""
        assert self.gradients is not None
        self.gradients.close()
        silent, ratios = self.gradients.silent(), watch.ratios()
        for name in silent:
            # Of an entry without connectors: one name for all its points.
            if ratios.get(name, 1) != 0:
                text = silence_warning(name, watch.seen)
                print_log(text, logger='current', level=logging.WARNING)
        self.gradients = None


def silence_warning(name: str, steps: int) -> str:
    """Say that a loss sends no gradient to the student."""
    return (
        f'[no-gradient] distill.{name} has sent no gradient to the student in '
        f'{steps} steps: exactly 0, so nothing is learned from it. Its '
        'connector or loss may detach the feature, its generator may be dead '
        '(ReLU), its mask may hide all of a map of one position, or half '
        'precision may have lost what is too small.'
    )


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
