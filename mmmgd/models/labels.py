"""Read and check the labels in data samples."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

# The heads that read the classes of images, and those of boxes and masks.
HEADS = {'gt_label': ('head',), 'gt_instances': ('bbox_head', 'mask_head')}


def legal_classes(model: nn.Module) -> dict[str, int]:
    """Return how many classes a model has for each kind of label.

    Those of pixels are left out: :func:`check_label_maps`.
    """
    found: dict[str, int] = {}
    for kind, names in HEADS.items():
        counts = [
            getattr(module, 'num_classes', None)
            for name, module in model.named_modules()
            if set(names) & set(name.split('.')[-2:])
        ]
        known = [count for count in counts if isinstance(count, int)]
        if known:
            found[kind] = max(known)
    return found


def check_labels(
    samples: Sequence[Any] | None, model: nn.Module, legal: Mapping[str, int]
) -> None:
    """Check the classes of images, boxes and pixels in a batch.

    Args:
        samples: Data samples of a batch.
        model: The model that learns from them.
        legal: Of that model, from :func:`legal_classes`.

    Raises:
        ValueError: If one is no class of the model.
    """
    for kind, classes in legal.items():
        labels = [_labels(sample, kind) for sample in samples or []]
        tensors = [
            x if x.ndim == 1 else x.flatten()
            for x in labels
            if isinstance(x, Tensor)
        ]
        # All at once, as one by one takes a millisecond for 25 images.
        if not tensors or not _outside(torch.cat(tensors), classes).numel():
            continue
        for sample, x in zip(samples or [], labels, strict=True):
            if isinstance(x, Tensor) and _outside(x, classes).numel():
                raise ValueError(
                    f'Expected classes 0 to {classes - 1} in '
                    f'{sample.get("img_path", "an image")}, but got '
                    f'{_outside(x, classes).unique().tolist()[:10]}. Set '
                    'num_classes of the head to the classes of the data set, '
                    'or correct its labels.'
                )
    check_label_maps(samples, model)


def _labels(sample: Any, kind: str) -> Any:
    labels = getattr(sample, kind, None)
    if kind == 'gt_instances':
        labels = getattr(labels, 'labels', None)
    return labels


def _outside(labels: Tensor, classes: int) -> Tensor:
    return labels[(labels < 0) | (labels >= classes)]


def check_label_maps(samples: Sequence[Any] | None, model: nn.Module) -> None:
    """Check that each pixel's class is one of the decode head's.

    Args:
        samples: Data samples of a batch; those of mmseg have ``gt_sem_seg``.
        model: A segmentor with a ``decode_head``, or anything else.

    Raises:
        ValueError: If a class is neither below the head's ``num_classes`` nor
            its ``ignore_index``.
    """
    head: Any = getattr(model, 'decode_head', None)
    head = head[-1] if isinstance(head, nn.ModuleList) else head
    classes = getattr(head, 'num_classes', None)
    if classes is None:
        return
    for sample in samples or []:
        if 'gt_sem_seg' not in sample:
            continue
        labels = sample.gt_sem_seg.data
        legal = (labels >= 0) & (labels < classes)
        legal |= labels == head.ignore_index
        if not legal.all():
            found = labels[~legal].unique().tolist()
            path = sample.get('seg_map_path', 'a label map')
            raise ValueError(
                f'Expected classes 0 to {classes - 1} and {head.ignore_index} '
                f'(ignored) in {path}, but got {found[:10]}. Are these train '
                'ids (*_labelTrainIds.png)? Otherwise set num_classes of '
                "decode_head and auxiliary_head, or the dataset's metainfo "
                '(reduce_zero_label, if 0 is to be ignored).'
            )


def gt_labels(data_samples: list | None) -> Tensor:
    """Return the class index of each image, with shape (N,).

    Of a mixed image (Mixup, CutMix) that is the class of its larger part, as
    in the authors' code of NKD; its ``gt_label`` is the class before mixing.

    Raises:
        ValueError: If an image has no single class.
    """
    labels: list[Any] = [
        getattr(s, 'gt_label', None) for s in data_samples or []
    ]
    if not labels or any(x is None or x.numel() != 1 for x in labels):
        raise ValueError(
            'A distillation loss asks for `gt_labels`, one class per image, '
            'but the data samples do not have them (soft or multiple labels, '
            'or another task). Take a loss that needs none.'
        )
    mixed: list[Any] = [
        getattr(s, 'gt_score', None) for s in data_samples or []
    ]
    return torch.cat(
        [
            label if score is None else score.argmax(0, keepdim=True)
            for label, score in zip(labels, mixed, strict=True)
        ]
    )
