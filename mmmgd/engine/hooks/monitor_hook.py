"""Log scalars of the distillation under the names of the points."""

import logging
import re
from typing import Any

from mmengine.hooks import Hook, LoggerHook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmmgd.engine.loss_watch import LossWatch
from mmmgd.engine.runner import model_of
from mmmgd.engine.step_clock import StepClock
from mmmgd.registry import HOOKS
from mmmgd.report.gradients import compare_gradients


@HOOKS.register_module()
class MonitorHook(Hook):
    """Logs ratios, weights and times of the distillation losses.

    Through MMEngine's visualizer, so to each of its backends; TensorBoard,
    WandB and MLflow group scalars by the word before the slash:

    - ``distill/<point>``: loss of that point / task loss, a mean over the
      interval;
    - ``distill_weight/<loss>``: the weight that is measured (``'auto'``) or
      scheduled, times that of the config;
    - ``distill_multiplier/<loss>``: what loss_weight would have to be
      multiplied by to bring the loss to the task's;
    - ``distill_time/teacher``, ``distill_time/connectors``: share of a step,
      measured at the last one of the interval;
    - ``distill_cosine/<loss>``: cosine between its gradient and the task's in
      the student's layers that both reach.

    The log's own line gets their sum, ``distill_ratio``.

    Args:
        cosine_interval: Steps from one cosine to the next; each costs a
            backward pass for the task and one for each loss. 0 for none.

    Examples:
        >>> default_hooks = dict(
        ...     monitor=dict(type='mmmgd.MonitorHook', cosine_interval=100)
        ... )
        >>> vis_backends = [
        ...     dict(type='LocalVisBackend'),
        ...     dict(type='TensorboardVisBackend'),
        ... ]
    """

    priority = 'NORMAL'  # before LoggerHook

    def __init__(self, cosine_interval: int = 0) -> None:
        if type(cosine_interval) is not int or cosine_interval < 0:
            raise ValueError(
                'Expected `cosine_interval` of MonitorHook to be a number of '
                f'steps, or 0 for none, but got {cosine_interval!r}.'
            )
        self.cosine_interval = cosine_interval
        self.watch: Any = None
        self.clock: Any = None
        self.timed = False
        self.cosines: dict[str, float] = {}

    def before_train(self, runner: Runner) -> None:
        """Attach to the model: sum losses, measure times."""
        model = model_of(runner)
        self.watch, self.clock = LossWatch(model), StepClock(model)
        self.points = points_of(model)
        self.loggers = [h for h in runner.hooks if isinstance(h, LoggerHook)]

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Measure time or gradients, if this is a step to do so."""
        every = self.cosine_interval
        self.watch.keep = bool(every) and runner.iter % every == 0
        self.timed = runner.rank == 0 and any(
            logs_now(runner, hook, batch_idx) for hook in self.loggers
        )
        if self.timed:
            self.clock.start()
        if self.watch.keep:
            self._compare_on_next_pass(runner)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, *args: Any, **kwargs: Any
    ) -> None:
        """Write the scalars in the steps in which LoggerHook writes."""
        if not self.timed:
            return
        shares = self.clock.stop()
        ratios = self.watch.ratios()
        runner.message_hub.update_scalar(
            'train/distill_ratio', sum(ratios.values())
        )
        terms = model_of(runner).terms
        scalars = {f'distill/{self.points[k]}': v for k, v in ratios.items()}
        for name, ratio in self.watch.term_ratios().items():
            scalars[f'distill_weight/{name}'] = weight_of(terms[name])
            if ratio:
                scalars[f'distill_multiplier/{name}'] = 1 / ratio
        for name, share in shares.items():
            scalars[f'distill_time/{name}'] = share
        for name, cosine in self.cosines.items():
            scalars[f'distill_cosine/{name}'] = cosine
        runner.visualizer.add_scalars(scalars, step=runner.iter + 1)
        self.cosines = {}
        self.watch.reset()

    def after_train(self, runner: Runner) -> None:
        """Detach from the model."""
        self.watch.close()

    def _compare_on_next_pass(self, runner: Runner) -> None:
        """Compare gradients as soon as the losses of a step are there."""
        model = model_of(runner)

        def compare(*args: Any) -> None:
            handle.remove()
            if not self.watch.latest:
                return
            task, terms = self.watch.split()
            scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
            scale = float(scaler.get_scale()) if scaler else 1.0
            losses = list(terms.values())
            try:
                found = compare_gradients(task, losses, model.student, scale)
            except RuntimeError as error:
                self.cosine_interval = 0
                print_log(
                    'The cosine of the gradients is measured no longer: '
                    f'{error}',
                    logger='current',
                    level=logging.WARNING,
                )
            else:
                cosines = [one.cosine for one in found]
                self.cosines = dict(zip(terms, cosines, strict=True))
            self.watch.latest = {}

        # After LossWatch's own hook, which was registered before.
        handle = model.register_forward_hook(compare)


def logs_now(runner: Runner, hook: LoggerHook, batch_idx: int) -> bool:
    """Whether a LoggerHook writes a line after this step."""
    loader = runner.train_dataloader
    return hook.every_n_inner_iters(batch_idx, hook.interval) or (
        hook.end_of_epoch(loader, batch_idx)
        and (not hook.ignore_last or len(loader) <= hook.interval)
    )


def points_of(model: Any) -> dict[str, str]:
    """Return the student's point of each loss in the log, as a name.

    Backends refuse signs such as brackets in names. A point that is used
    twice gets the name of its loss in front.
    """
    points = {
        log_name: re.sub(r'[^\w./-]+', '.', pair.student).strip('.')
        for term in model.terms.values()
        for log_name, pair in zip(term.log_names, term.pairs, strict=True)
    }
    used = list(points.values())
    return {
        name: point if used.count(point) == 1 else f'{name}/{point}'
        for name, point in points.items()
    }


def weight_of(term: Any) -> float:
    """Return what a term's loss is multiplied with at present."""
    weight = getattr(term.loss, 'loss_weight', 1.0)
    if term.auto is not None:
        weight = term.auto.weight(term.positions)
    return float(term.mean_factor * weight)
