"""Apply the schedules of the distillation losses."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmmgd.engine.runner import model_of
from mmmgd.registry import HOOKS


@HOOKS.register_module()
class ScheduleHook(Hook):
    """Applies the schedules of the distillation losses: :class:`Schedule`.

    Args:
        free_teacher: Whether to free the teacher's memory once all have ended.
    """

    def __init__(self, free_teacher: bool = True) -> None:
        self.free_teacher = free_teacher

    def before_train(self, runner: Runner) -> None:
        """Refuse a schedule that ends after the training."""
        loop = runner.train_loop
        by_iter = isinstance(loop, IterBasedTrainLoop)
        end = loop.max_iters if by_iter else loop.max_epochs
        for term in model_of(runner).terms.values():
            term.schedule.check(end, 'iterations' if by_iter else 'epochs')

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Set the weight of each loss for this step."""
        position: float = runner.iter
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            position /= len(runner.train_dataloader)
        model_of(runner).set_position(position, self.free_teacher, runner.iter)
