# The student alone: RetinaNet on a ResNet-18 of width 8.
_base_ = ['mmdet::_base_/models/retinanet_r50_fpn.py', '_base_detection.py']

width, channels = 8, 64
model = dict(
    backbone=dict(
        depth=18,
        base_channels=width,
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/studies/dense/backbone-w8.pth',
            prefix='backbone.',
        ),
    ),
    neck=dict(
        in_channels=[width, 2 * width, 4 * width, 8 * width],
        out_channels=channels,
    ),
    bbox_head=dict(
        num_classes=10,
        in_channels=channels,
        feat_channels=channels,
        stacked_convs=2,
        norm_cfg=dict(type='GN', num_groups=8),
        anchor_generator=dict(octave_base_scale=4, scales_per_octave=2),
    ),
)
