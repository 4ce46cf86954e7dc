# The student alone: PSPNet on a ResNet-18 of width 8.
_base_ = [
    'mmseg::_base_/models/pspnet_r50-d8.py',
    '_base_semantic_segmentation.py',
]

# Nine pixels of ten are background. The mean is over all pixels (MMEngine
# takes it): mmseg 1.2 fails to divide by the weights where a label is 255.
# They sum up to a fifth of the pixels, hence 5 (and 2) for 1 (and 0.4).
loss = dict(class_weight=[0.1] + 10 * [1.0], reduction='none', loss_weight=5.0)
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
        loss_decode=dict(loss, loss_weight=2.0),
    ),
)
