# The student alone: PSPNet on a ResNet-18 of width 8.
_base_ = [
    'mmseg::_base_/models/pspnet_r50-d8.py',
    '_base_semantic_segmentation.py',
]

# Nine pixels of ten are background.
loss = dict(class_weight=[0.1] + 10 * [1.0])
width = 8
model = dict(
    pretrained=None,
    data_preprocessor=dict(size=(112, 112)),  # the crop
    backbone=dict(depth=18, base_channels=width, stem_channels=width),
    decode_head=dict(
        in_channels=8 * width,
        channels=4 * width,
        num_classes=11,
        loss_decode=loss,
    ),
    auxiliary_head=dict(
        in_channels=4 * width,
        channels=2 * width,
        num_classes=11,
        loss_decode=loss,
    ),
)
