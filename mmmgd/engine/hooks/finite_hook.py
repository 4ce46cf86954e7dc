"""Stop a run at the first loss or weight that is not finite."""

import copy
import math
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmmgd.engine.runner import model_of
from mmmgd.registry import HOOKS

ADVICE = (
    'Resume from the last checkpoint with a smaller learning rate or '
    'loss_weight, or with gradients clipped: '
    'optim_wrapper=dict(clip_grad=dict(max_norm=35)).'
)


@HOOKS.register_module()
class FiniteHook(Hook):
    """Stops the run at the first non-finite loss, before any file is written.

    Looks at the numbers that MMEngine has copied from the device for its log
    in each step anyway, so it waits for nothing. Weights are looked at when a
    checkpoint is written: a finite loss can have a non-finite gradient.

    Args:
        losses: Whether to look at the losses, in each step.
        weights: Whether to look at the weights, before each checkpoint.
    """

    # After RuntimeInfoHook has logged the losses, before CheckpointHook.
    priority = 'HIGH'

    def __init__(self, losses: bool = True, weights: bool = True) -> None:
        self.losses, self.weights = losses, weights
        self.last_finite: int | None = None

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Check the losses of this step.

        Raises:
            FloatingPointError: If one is infinite or not a number.
        """
        values = {
            name: _number(runner, name, value)
            for name, value in (outputs or {}).items()
            if self.losses and 'loss' in name
        }
        bad = {k: v for k, v in values.items() if not math.isfinite(v)}
        if not bad:
            self.last_finite = runner.iter + 1
            return
        points = _points(runner)
        # MMEngine calls the sum 'loss', and mmpretrain the student's own.
        points['loss'] = "the sum, or the student's own"
        what = '; '.join(
            f'{name} = {bad[name]} ({points.get(name, "of the student")})'
            for name in sorted(bad, key='loss'.__eq__)
        )
        last = self.last_finite or 'none since the start'
        rates = ', '.join(
            f'{k} {v[0]:.4g}' for k, v in runner.optim_wrapper.get_lr().items()
        )
        raise FloatingPointError(
            f'Stopped at iteration {runner.iter + 1} (epoch '
            f'{runner.epoch + 1}), rank {runner.rank}: {what}. Last iteration '
            f'with finite losses: {last}. Learning rate: {rates}. Nothing was '
            'written. ' + (_blame_teacher(runner, bad, data_batch) or ADVICE)
        )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse to write weights that are not numbers.

        Raises:
            FloatingPointError: If a weight is infinite or not a number.
        """
        bad = [
            name
            for name, value in checkpoint['state_dict'].items()
            if self.weights
            and value.is_floating_point()
            and not torch.isfinite(value).all()
        ]
        if bad:
            raise FloatingPointError(
                f'{len(bad)} tensors are not finite at iteration '
                f'{checkpoint["meta"]["iter"]}, e.g. {bad[0]!r}, although the '
                'losses were. No checkpoint was written over the last good '
                'one; resume from that with a smaller learning rate, or with '
                'gradients clipped.'
            )


def _blame_teacher(runner: Runner, bad: dict, data_batch: Any) -> str:
    """Name the teacher's feature that made a loss overflow; '' if none did."""
    model = model_of(runner)
    if not any(bad.keys() & {*t.log_names} for t in model.terms.values()):
        return ''
    data = model.data_preprocessor(copy.deepcopy(data_batch), True)
    given = data['inputs'], data.get('image_sizes')
    features = [
        (teacher, *item)
        for teacher in model.teachers.values()
        if teacher.loaded
        for item in teacher.extract(*given).items()
    ]
    for teacher, point, feature in features:
        feature = feature.float()
        if not feature.square().sum().isfinite():
            return (
                f"The teacher's feature at {point!r} reaches "
                f'{feature.abs().max():.3g}: its squares overflow float32. Its'
                f' weights are checkpoint={teacher.checkpoint!r}; name a'
                ' file of trained ones, with the input normalisation that they'
                ' were trained on.'
            )
    return ''


def _number(runner: Runner, name: str, value: Any) -> float:
    """Return a value from MMEngine's log, which holds it on the CPU."""
    history = runner.message_hub.log_scalars.get(f'train/{name}')
    return float(value) if history is None else history.current()


def _points(runner: Runner) -> dict[str, str]:
    """Return the points that each distillation loss compares."""
    return {
        name: f"student's {pair.student!r}, teacher's {pair.teacher!r}"
        for term in model_of(runner).terms.values()
        for name, pair in zip(term.log_names, term.pairs, strict=True)
    }
