"""Keep a second training out of the work dir."""

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmmgd.checkpoints.lock import WorkDirInUseError, give_back, take
from mmmgd.registry import HOOKS


@HOOKS.register_module()
class WorkDirHook(Hook):
    """Locks the work dir while a training runs in it.

    Two trainings would mix their checkpoints. The lock names host and process;
    one whose process has ended is taken over.

    Args:
        lock: False where the file system knows no locks.
    """

    priority = 'VERY_HIGH'

    def __init__(self, lock: bool = True) -> None:
        self.lock = lock

    def before_run(self, runner: Runner) -> None:
        """Lock the work dir, in the main process only.

        Raises:
            WorkDirInUseError: In all of them, if another training has it.
        """
        if not self.lock or not isinstance(runner._train_loop, BaseLoop):
            return
        problem: list = [None]
        if is_main_process():
            try:
                take(runner.work_dir)
            except WorkDirInUseError as error:
                problem = [str(error)]
        broadcast_object_list(problem)
        if problem[0]:
            raise WorkDirInUseError(problem[0])

    def after_run(self, runner: Runner) -> None:
        """Release the lock."""
        if is_main_process():
            give_back(runner.work_dir)
