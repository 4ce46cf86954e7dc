"""Check classes and labels of the data, for any model."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmmgd.engine.data import (
    check_classes,
    check_length,
    check_packed,
    dataset_of,
    name_files,
)
from mmmgd.engine.rehearsal import rehearse
from mmmgd.engine.runner import model_of
from mmmgd.models.labels import check_labels, legal_classes
from mmmgd.registry import HOOKS


@HOOKS.register_module()
class DataHook(Hook):
    """Checks classes before step 1, and labels while they are on the CPU.

    Args:
        classes: Refuse a train and a val set in which one label means two
            classes.
        labels: Refuse labels that the model has no class for. On a GPU one
            would end the run with an assert that names nothing.
        files: Name the file of a sample that cannot be read.
        rehearse: Try the validation on one batch before step 1.
    """

    def __init__(
        self,
        classes: bool = True,
        labels: bool = True,
        files: bool = True,
        rehearse: bool = True,
    ) -> None:
        self.rehearse = rehearse
        self.classes = classes
        self.labels = labels
        self.files = files
        self.legal: dict[str, int] = {}

    def before_run(self, runner: Runner) -> None:
        """Check the data sets of the loops that will run."""
        sets = [dataset_of(runner, part) for part in ('train', 'val', 'test')]
        if sets[0] is not None:
            check_length(runner.train_dataloader)
        if self.classes:
            check_classes(*sets[:2])
        if self.files:
            for data in sets:
                name_files(data)

    def before_train(self, runner: Runner) -> None:
        """Read which labels are allowed; try the validation."""
        model = model_of(runner)
        self.legal = legal_classes(getattr(model, 'student', model))
        if self.rehearse:
            rehearse(runner)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Check the labels of a batch."""
        check_packed(data_batch)
        if self.labels and isinstance(data_batch, dict):
            model = model_of(runner)
            samples = data_batch.get('data_samples')
            check_labels(samples, getattr(model, 'student', model), self.legal)
