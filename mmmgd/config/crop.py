"""The training crop that a config states."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Size = tuple[int, int]  # height, width

# Keys with a fixed output size, of the transforms that have one.
CROPS = {
    'BatchFixedSizePad': 'size',
    'CenterCrop': 'crop_size',
    'EfficientNetRandomCrop': 'scale',
    'CachedMosaic': 'img_scale',
    'Mosaic': 'img_scale',
    'Pad': 'size',
    'RandomCrop': 'crop_size',
    'RandomResizedCrop': 'scale',
    'Resize': 'scale',
}


def stated_size(
    model: Mapping[str, Any], cfg: Mapping[str, Any] | None = None
) -> Size | None:
    """Return the training crop that a config states, None if it does not.

    Read from the data preprocessor, else from the last transform of the
    pipeline that fixes the size, else from ``img_size`` of the backbone.
    """
    preprocessor = model.get('data_preprocessor') or {}
    loader = (cfg or {}).get('train_dataloader')
    found = [
        as_size(_get(model.get('backbone'), 'img_size')),
        *_crops(_pipeline(_get(loader, 'dataset'))),
        *_crops(_list(_get(preprocessor, 'batch_augments'))),
        as_size(_get(preprocessor, 'size')),
    ]
    return next((size for size in reversed(found) if size), None)


def as_size(value: Any) -> Size | None:
    """Read an int or a pair of them."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = (value, value)
    if (
        isinstance(value, Sequence)
        and len(value) == 2
        and all(isinstance(x, int) and x > 0 for x in value)
    ):
        return value[0], value[1]
    return None


def _pipeline(dataset: Any) -> Iterator[Any]:
    """Yield the transforms of a dataset, those of inner datasets first."""
    if isinstance(dataset, Mapping):
        yield from _pipeline(dataset.get('dataset'))
        yield from _list(dataset.get('pipeline'))
    for inner in _list(_get(dataset, 'datasets')):
        yield from _pipeline(inner)


def _crops(transforms: Any) -> Iterator[Size | None]:
    for transform in transforms:
        name = str(_get(transform, 'type')).rpartition('.')[2]
        relative = 'range' in str(transform) or 'relative' in str(transform)
        if name in CROPS and not (
            transform.get('keep_ratio') or (name == 'RandomCrop' and relative)
        ):
            yield as_size(transform.get(CROPS[name]))


def _get(cfg: Any, key: str) -> Any:
    return cfg.get(key) if isinstance(cfg, Mapping) else None


def _list(value: Any) -> Sequence:
    """Return what is a list; a wrong value is refused later, by name."""
    return value if isinstance(value, (list, tuple)) else ()
