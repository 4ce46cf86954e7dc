"""Measure the weight of a distillation loss on the first batches."""

import math
import tempfile
from collections.abc import Iterator
from statistics import mean
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.runner import Runner

from mmmgd.config import copy_config
from mmmgd.models.totals import total
from mmmgd.report.gradients import compare_gradients


class Measured(NamedTuple):
    """Means over some batches, for a loss whose weight is 1.

    Attributes:
        ratio: Distillation loss / task loss.
        gradients: Norm of its gradient / norm of the task's, in the student's
            parameters that both reach.
        cosine: Cosine between the two.
        task: The task's loss.
    """

    ratio: float
    gradients: float
    cosine: float
    task: float


class Calibration(NamedTuple):
    """Measurements of one entry of ``distill``.

    Attributes:
        weight: Its ``loss_weight`` in the config; None if it is 'auto'.
        start: At initialisation.
        warm: After the warm-up.
        best: The weight for the target ratio, by what was measured last.
    """

    weight: float | None
    start: Measured
    warm: Measured
    best: float


def calibrate(
    cfg: Config, batches: int, warmup: int, target: float
) -> dict[str, Calibration]:
    """Measure the losses of a config on its own training data.

    Builds what a Runner builds, and runs steps of it without hooks: nothing
    is written. In the warm-up the student trains with the weight that suits
    it at the start.

    Args:
        cfg: Config with MGDDistill; not changed.
        batches: Number of batches to average over, at each of both times.
        warmup: Number of training steps in between.
        target: Ratio of distillation loss to task loss to find weights for.

    Raises:
        ValueError: If there are fewer batches in the data, or a loss is 0 or
            infinite.
    """
    cfg, weights = without_weights(cfg)
    with tempfile.TemporaryDirectory() as folder:
        # MMEngine keeps what it has built under a name, with its folder.
        cfg.work_dir = cfg.experiment_name = folder
        cfg.visualizer = dict(type='Visualizer', name=folder)
        runner = Runner.from_cfg(cfg)
        _prepare(runner)
        _check_amount(runner, batches)
        model: Any = runner.model
        data = _batches(runner)
        start = _measure(model, data, batches)
        for name, term in model.terms.items():
            term.factor = target / start[name].ratio
        _train(runner, data, warmup)
        for term in model.terms.values():
            term.factor = 1.0
        warm = _measure(model, data, batches) if warmup else start
    return {
        name: Calibration(
            weights[name], start[name], warm[name], target / warm[name].ratio
        )
        for name in weights
    }


def without_weights(cfg: Config) -> tuple[Config, dict[str, float | None]]:
    """Return a copy in which each loss has the weight 1, and the weights."""
    cfg = copy_config(cfg)
    weights: dict[str, float | None] = {}
    for name, term in cfg.model.distill.items():
        weight = term.loss.get('loss_weight', 1.0)
        weights[name] = None if weight == 'auto' else weight
        if 'loss_weight' in term.loss:
            term.loss.loss_weight = 1.0
        term.pop('auto', None)
    for key in ('val', 'test'):  # neither is run
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{key}_{part}'] = None
    return cfg, weights


def _prepare(runner: Runner) -> None:
    """Build what Runner.train builds before its first step."""
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
    if runner.param_schedulers is not None:
        runner.param_schedulers = runner.build_param_scheduler(
            runner.param_schedulers
        )
    runner._init_model_weights()
    if runner._load_from:
        runner.load_checkpoint(runner._load_from)
    runner.model.train()
    runner.optim_wrapper.initialize_count_status(runner.model, 0, 10**9)


def _check_amount(runner: Runner, batches: int) -> None:
    loader = runner.train_dataloader
    size = len(loader.dataset) // (loader.batch_size or 1)
    if not 0 < batches <= max(size, 1):
        raise ValueError(
            f'Expected --batches from 1 to {max(size, 1)}, the number that '
            f'the training data have, but got {batches}.'
        )


def _batches(runner: Runner) -> Iterator[Any]:
    while True:
        yield from runner.train_dataloader


def _measure(
    model: Any, data: Iterator[Any], batches: int
) -> dict[str, Measured]:
    """Return means over batches, without changing the model's weights."""
    seen: dict[str, list[tuple[float, ...]]] = {n: [] for n in model.terms}
    for _ in range(batches):
        inputs = model.data_preprocessor(next(data), True)
        losses = model(**inputs, mode='loss')
        ours = {
            name: total({n: losses.pop(n) for n in term.log_names})
            for name, term in model.terms.items()
        }
        task = total(losses)
        found = compare_gradients(task, list(ours.values()), model.student)
        for (name, loss), gradient in zip(ours.items(), found, strict=True):
            values = float(loss.detach()), float(task.detach())
            row = *values, gradient.ratio, gradient.cosine
            seen[name].append(row)
    return {name: _average(name, rows) for name, rows in seen.items()}


def _average(name: str, rows: list[tuple[float, ...]]) -> Measured:
    loss, task, gradients, cosine = map(mean, zip(*rows, strict=True))
    for value, what in ((task, "the student's own loss"), (loss, name)):
        if value == 0 or not math.isfinite(value):
            raise ValueError(
                f'Expected finite losses above 0 to calibrate, but {what} is '
                f'{value} on average over {len(rows)} batches. '
                + (
                    'The teacher may have no weights yet, or the points hold '
                    'nothing.'
                    if what == name
                    else 'Does the student train by itself?'
                )
            )
    return Measured(loss / task, gradients, cosine, task)


def _train(runner: Runner, data: Iterator[Any], steps: int) -> None:
    """Train as the config says, schedules of the learning rate included."""
    schedulers: Any = runner.param_schedulers or []
    if isinstance(schedulers, dict):
        schedulers = [s for group in schedulers.values() for s in group]
    for _ in range(steps):
        runner.model.train_step(next(data), runner.optim_wrapper)
        for scheduler in schedulers:
            if not scheduler.by_epoch:
                scheduler.step()
