"""Labels that a model cannot have, found before they reach a GPU.

There they would end the run with a device-side assert that names nothing.
"""

from collections.abc import Sequence
from typing import Any

from torch import nn


def check_label_maps(samples: Sequence[Any] | None, model: nn.Module) -> None:
    """Check the class of each pixel; other kinds of labels are left alone.

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
