# The student alone: SOLO on a ResNet-18 of width 8, for 128x128 images.
_base_ = '_base_instance_segmentation.py'

width, channels = 8, 32
model = dict(
    type='SOLO',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_mask=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type='ResNet',
        depth=18,
        base_channels=width,
        # Others start from ImageNet's weights.
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/demo/detection/baseline-0/last.pth',
            prefix='backbone.',
        ),
    ),
    neck=dict(
        type='FPN',
        in_channels=[width, 2 * width, 4 * width, 8 * width],
        out_channels=channels,
        num_outs=4,
    ),
    mask_head=dict(
        type='SOLOHead',
        num_classes=10,
        in_channels=channels,
        feat_channels=channels,
        stacked_convs=2,
        strides=[8, 8, 16, 16],
        scale_ranges=((1, 20), (14, 30), (24, 42), (36, 512)),
        cls_down_index=1,
        pos_scale=0.5,
        num_grids=[16, 14, 10, 8],
        norm_cfg=dict(type='GN', num_groups=8),
    ),
    test_cfg=dict(
        nms_pre=500,
        score_thr=0.1,
        mask_thr=0.5,
        filter_thr=0.05,
        kernel='gaussian',
        sigma=2.0,
        max_per_img=100,
    ),
)
