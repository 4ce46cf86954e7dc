"""Small models, labels and points of one pair for each task."""

import torch

from mmmgd.config import read_config

RETINANET = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'
PSPNET = 'mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py'


def _classifier(width):
    return dict(
        type='ImageClassifier',
        backbone=dict(
            type='ResNet_CIFAR',
            depth=18,
            stem_channels=width,
            base_channels=width,
        ),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=10, in_channels=8 * width),
    )


def _detector(width):
    cfg = read_config(RETINANET).model
    cfg.backbone.update(
        depth=18, base_channels=width, init_cfg=None, frozen_stages=-1
    )
    cfg.neck.in_channels = [width * 2**i for i in range(4)]
    cfg.neck.out_channels = 4 * width
    cfg.bbox_head.update(
        in_channels=4 * width, feat_channels=8, stacked_convs=1, num_classes=3
    )
    return cfg.to_dict()


def _segmentor(width):
    cfg = read_config(PSPNET).model
    norm = dict(type='BN')
    cfg.update(pretrained=None)
    cfg.data_preprocessor.update(size=(64, 64))
    cfg.backbone.update(
        stem_channels=width, base_channels=width, norm_cfg=norm
    )
    # A teacher's dropout stays on in MMRazor.
    for head, stage in ((cfg.decode_head, 8), (cfg.auxiliary_head, 4)):
        head.update(
            in_channels=stage * width,
            channels=8,
            num_classes=4,
            norm_cfg=norm,
            dropout_ratio=0,
        )
    return cfg.to_dict()


def _classes(n):
    from mmpretrain.structures import DataSample

    return [DataSample().set_gt_label(i) for i in range(n)]


def _boxes(n):
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    samples = []
    for i in range(n):
        size = dict.fromkeys(('img_shape', 'batch_input_shape'), (64, 64))
        sample = DetDataSample(
            metainfo=dict(size, pad_shape=(64, 64), scale_factor=(1, 1))
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[4.0 + i, 8, 40, 56]]),
            labels=torch.tensor([i]),
        )
        samples.append(sample)
    return samples


def _maps(n):
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    samples = []
    for i in range(n):
        labels = (torch.arange(64 * 64) // 1024 + i) % 4
        sample = SegDataSample(metainfo=dict(img_shape=(64, 64)))
        sample.gt_sem_seg = PixelData(data=labels.reshape(1, 64, 64))
        samples.append(sample)
    return samples


# scope, MMRazor's algorithm, model, labels, points, widths, λ, mask
PAIRS = {
    'cls': ('mmpretrain', 'SingleTeacherDistill', _classifier, _classes,
            ['backbone.layer4'], (32, 48), 0.15, 'channel'),
    'det': ('mmdet', 'FpnTeacherDistill', _detector, _boxes,
            [f'neck.fpn_convs.{i}.conv' for i in range(5)], (16, 16), 0.65,
            'spatial'),
    'seg': ('mmseg', 'SingleTeacherDistill', _segmentor, _maps,
            ['backbone.layer4'], (32, 64), 0.75, 'spatial'),
}  # fmt: skip
TEACHER = {'cls': 6, 'det': 4, 'seg': 8}
