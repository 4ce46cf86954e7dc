# The student alone: a ResNet-18 of width 16 whose last map is 4x4.
_base_ = '../_base_fashion-mnist.py'

width = 16
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet_CIFAR',
        depth=18,
        in_channels=1,
        stem_channels=width,
        base_channels=width,
        strides=(2, 2, 2, 1),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=8 * width,
        loss=dict(type='CrossEntropyLoss'),
    ),
)
