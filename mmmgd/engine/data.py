"""Find the data sets of a run, and name what is wrong in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.runner import BaseLoop, Runner

# Where data sets keep the address of a file.
PATHS = ('img_path', 'seg_map_path')
# What a pipeline carries along until its samples are packed.
IMAGE = {'img', 'img_path'}


class DataError(RuntimeError):
    """A sample that cannot be read."""


def dataset_of(runner: Runner, part: str) -> Any:
    """Return the data set of a loop that is built, None if there is none.

    Args:
        runner: The runner.
        part: 'train', 'val' or 'test'.
    """
    loop = getattr(runner, f'_{part}_loop')
    if not isinstance(loop, BaseLoop):
        return None
    return getattr(loop.dataloader, 'dataset', None)


def check_classes(train: Any, val: Any) -> None:
    """Refuse data sets in which one label means two classes.

    Raises:
        ValueError: Naming the first such label.
    """
    mine, theirs = (
        (getattr(data, 'metainfo', None) or {}).get('classes') or ()
        for data in (train, val)
    )
    for label, names in enumerate(zip(mine, theirs, strict=False)):
        if names[0] != names[1]:
            raise ValueError(
                f'Expected the classes of the train and the val set to agree, '
                f'but label {label} is {names[0]!r} in the train set '
                f'({len(mine)} classes) and {names[1]!r} in the val set '
                f'({len(theirs)}). Is a class folder missing or empty? Name '
                'the classes in both: dataset=dict(metainfo=dict(classes=…)).'
            )


def check_length(loader: Any) -> None:
    """Refuse a loader that has no batch, with which nothing is trained.

    Raises:
        ValueError: Saying how many samples there are.
    """
    data: Any = getattr(loader, 'dataset', None)
    if hasattr(data, '__len__') and not len(loader):
        raise ValueError(
            'Expected at least one batch in an epoch, but train_dataloader '
            f'has {len(data)} samples, batch_size={loader.batch_size} and '
            f'drop_last={loader.drop_last}. Name more data, or make '
            'batches smaller.'
        )


def check_packed(batch: Any, part: str = 'train') -> None:
    """Refuse a batch of samples that are as the pipeline's parts hand them on.

    Args:
        batch: What the data loader gives.
        part: Of which loader.

    Raises:
        ValueError: Naming what is missing in the pipeline.
    """
    if isinstance(batch, dict) and 'inputs' not in batch and IMAGE & {*batch}:
        raise ValueError(
            f'Expected the pipeline of {part}_dataloader.dataset to end with '
            'what packs (PackInputs, PackDetInputs, PackSegInputs), '
            f'but its samples have the keys {sorted(batch)[:8]}.'
        )


def name_files(data: Any) -> None:
    """Let a sample that cannot be read raise a DataError with its file."""
    for inner in _base_datasets(data):
        if not isinstance(vars(inner).get('prepare_data'), _Named):
            vars(inner)['prepare_data'] = _Named(inner)


class _Named:
    """Replaces ``prepare_data`` of one data set, in worker processes too."""

    def __init__(self, data: BaseDataset) -> None:
        self.data = data

    def __call__(self, index: int) -> Any:
        try:
            return type(self.data).prepare_data(self.data, index)
        except Exception as error:  # of any kind: cv2, PIL, a transform
            info: Any = self.data.get_data_info(index)
            files = [str(info[key]) for key in PATHS if info.get(key)]
            sizes = [f'{file} ({_size(file)})' for file in files]
            raise DataError(
                f'Sample {index} of {type(self.data).__name__} cannot be '
                f'read: {", ".join(sizes) or "no file is named"}. '
                f'{type(error).__name__}: {str(error).strip()}. Replace the '
                'file, or leave it out of the annotations.'
            ) from error


def _size(file: str) -> str:
    path = Path(file)
    return f'{path.stat().st_size} bytes' if path.is_file() else 'no such file'


def _base_datasets(data: Any) -> Iterator[BaseDataset]:
    """List what a data set wraps: a repeated or a concatenated one."""
    if isinstance(data, BaseDataset):
        yield data
    wrapped = [getattr(data, 'dataset', None), *getattr(data, 'datasets', ())]
    for inner in wrapped:
        if inner is not None:
            yield from _base_datasets(inner)
