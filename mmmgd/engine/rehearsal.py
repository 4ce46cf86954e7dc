"""Try the validation on one batch, before time is spent on training."""

import copy
import logging
from contextlib import redirect_stdout, suppress
from io import StringIO
from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner, ValLoop, autocast

from mmmgd.rng import isolated_rng

from .data import check_packed, dataset_of


class RehearsalError(RuntimeError):
    """The validation would fail."""


@torch.no_grad()
def rehearse(runner: Runner) -> None:
    """Run the validation on its first batch, and forget the result.

    The model is left as it was, and no random number is drawn.

    Raises:
        RehearsalError: If that fails, or has no metric by which a file is to
            be chosen.
    """
    data, loop = dataset_of(runner, 'val'), runner._val_loop
    if not (isinstance(loop, ValLoop) and data and hasattr(data, 'metainfo')):
        return
    evaluator = copy.copy(loop.evaluator)
    evaluator.metrics = [copy.copy(m) for m in evaluator.metrics]
    for metric in evaluator.metrics:
        metric.results = []
    was_training = runner.model.training
    runner.model.eval()
    try:
        with isolated_rng(0), autocast(enabled=loop.fp16):
            # Of the usual size: a model need not accept a single sample.
            count = min(loop.dataloader.batch_size or 1, len(data))
            batch = loop.dataloader.collate_fn([data[i] for i in range(count)])
            check_packed(batch, 'val')
            outputs = runner.model.val_step(batch)
            evaluator.process(data_samples=outputs, data_batch=batch)
    except Exception as error:
        raise RehearsalError(
            'The validation would fail. On its first batch: '
            f'{type(error).__name__}: {str(error).strip()}'
        ) from error
    finally:
        runner.model.train(was_training)
    _check_best(runner, evaluator, count)


def _check_best(runner: Runner, evaluator: Evaluator, count: int) -> None:
    """Refuse to choose files by a metric that there is none."""
    wanted = {
        key
        for hook in runner.hooks
        if isinstance(hook, CheckpointHook) and hook.save_best
        for key in hook.key_indicators
        if key != 'auto'
    }
    found: dict[str, Any] = {}
    if wanted and runner.world_size == 1:
        logging.disable(logging.CRITICAL)  # of a few images only
        with suppress(Exception), redirect_stdout(StringIO()):
            found = evaluator.evaluate(count)
        logging.disable(logging.NOTSET)
    if found and wanted - found.keys():
        raise RehearsalError(
            'Expected save_best to name a metric of val_evaluator, but got '
            f'{sorted(wanted - found.keys())[0]!r}. The metrics are '
            f'{", ".join(sorted(found))}.'
        )
