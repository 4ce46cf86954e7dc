"""Refuse numbers with which nothing, or nonsense, would happen."""

from collections.abc import Mapping

from mmengine.config import Config

# The least that each may be.
LEAST = {
    'train_cfg.max_epochs': 0,
    'train_cfg.max_iters': 0,
    'train_cfg.val_begin': 0,
    'train_cfg.val_interval': 1,
    'train_dataloader.batch_size': 1,
    'val_dataloader.batch_size': 1,
    'train_dataloader.num_workers': 0,
    'val_dataloader.num_workers': 0,
    'optim_wrapper.accumulative_counts': 1,
    'randomness.seed': 0,
}


def check_counts(cfg: Config) -> None:
    """Refuse counts that are no whole numbers, or too small.

    Raises:
        ValueError: Naming the key and its value.
    """
    for path, least in LEAST.items():
        outer, _, last = path.partition('.')
        node = cfg.get(outer)
        value = node.get(last) if isinstance(node, Mapping) else None
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (whole and value >= least):
            raise ValueError(
                f'Expected {path} to be a whole number of at least {least}, '
                f'but got {value!r}.'
            )
