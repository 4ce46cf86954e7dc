"""A blank image for a model, and labels to go with it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from .image_size import Size


def blank_samples(
    model: nn.Module, batch: Size, images: Sequence[Size] | None = None
) -> list[Any] | None:
    """Return labels of images with one object, as the model expects them.

    Args:
        model: A model of mmdet, mmseg or mmpretrain.
        batch: Height and width of the batch in pixels.
        images: Those of each image without its padding. Defaults to one image
            without any.

    Returns:
        A data sample for each; None for a model of another package.
    """
    masks = any('mask' in name for name, _ in model.named_modules())
    packages = {c.__module__.partition('.')[0] for c in type(model).__mro__}
    makers = {
        'mmdet': _detected, 'mmseg': _segmented, 'mmpretrain': _classified,
    }  # fmt: skip
    for package, make in makers.items():
        if package in packages:
            parameter = next(model.parameters(), torch.zeros(()))
            return [
                make({**_metainfo(batch), 'img_shape': image}, masks).to(
                    parameter.device
                )
                for image in images or [batch]
            ]
    return None


def _metainfo(batch: Size) -> dict[str, Any]:
    names = ('img_shape', 'ori_shape', 'pad_shape', 'batch_input_shape')
    return {
        **dict.fromkeys(names, batch),
        'scale_factor': (1.0, 1.0),
        'flip': False,
        'img_id': 0,
    }


def _detected(metainfo: dict[str, Any], masks: bool) -> Any:
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks
    from mmengine.structures import InstanceData, PixelData

    height, width = metainfo['batch_input_shape']
    box = [width // 4, height // 4, width // 2, height // 2]
    mask = torch.zeros(1, height, width, dtype=torch.uint8)
    mask[0, box[1] : box[3], box[0] : box[2]] = 1
    sample = DetDataSample(metainfo=metainfo)
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([box], dtype=torch.float32),
        labels=torch.zeros(1, dtype=torch.long),
    )
    if masks:  # heads for boxes alone expect none
        sample.gt_instances.masks = BitmapMasks(mask.numpy(), height, width)
    sample.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
    )
    sample.gt_sem_seg = PixelData(sem_seg=mask.long())
    return sample


def _segmented(metainfo: dict[str, Any], masks: bool) -> Any:
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    zeros = torch.zeros(1, *metainfo['batch_input_shape'], dtype=torch.long)
    sample = SegDataSample(metainfo=metainfo)
    sample.gt_sem_seg = PixelData(data=zeros)
    sample.gt_edge_map = PixelData(data=zeros.clone())  # PIDNet
    return sample


def _classified(metainfo: dict[str, Any], masks: bool) -> Any:
    from mmpretrain.structures import DataSample

    return DataSample(metainfo=metainfo).set_gt_label(0)
