"""Read from a config what it states about its data."""

from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS

Classes = tuple[str, ...] | None


def dataset_of(cfg: Config) -> dict[str, Any]:
    """Return the training data set's config, without its wrappers."""
    dataset: Any = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    while True:
        inner = (
            dataset.get('dataset') or (dataset.get('datasets') or [None])[0]
        )
        if not isinstance(inner, dict):
            return dataset
        dataset = inner


def classes_of(dataset: dict[str, Any]) -> Classes:
    """Return the names of the classes, or None where only the data tell.

    Args:
        dataset: Config of a data set. Its package is imported.
    """
    own = (dataset.get('metainfo') or {}).get('classes')
    own = own or dataset.get('classes')  # mmpretrain's CustomDataset
    if own is None and 'type' in dataset:
        kind: Any = dataset['type']
        with DATASETS.switch_scope_and_registry(None) as registry:
            found = registry.get(kind) if isinstance(kind, str) else kind
        own = getattr(found, 'METAINFO', {}).get('classes')
    return tuple(own) if isinstance(own, (list, tuple)) else None


def same_classes(one: Classes, other: Classes) -> bool | None:
    """Whether two lists of classes agree; None if one is not known."""
    if one is None or other is None:
        return None
    return one == other
