# The student alone: PSPNet on a ResNet-18 of width 8.
_base_ = [
    'mmseg::_base_/models/pspnet_r50-d8.py',
    '_base_segmentation.py',
]

width = 8
model = dict(
    pretrained=None,
    data_preprocessor=dict(size=(128, 128)),
    backbone=dict(
        type='ResNet',  # as mmpretrain's, whose weights it begins with
        depth=18,
        base_channels=width,
        stem_channels=width,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/studies/dense/backbone-w8.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(
        in_channels=8 * width, channels=4 * width, num_classes=11
    ),
    auxiliary_head=dict(
        in_channels=4 * width, channels=2 * width, num_classes=11
    ),
)
