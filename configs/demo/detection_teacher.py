# The teacher: the student's network, wider, with more scenes.
_base_ = 'detection_baseline.py'

width, channels = 16, 64
model = dict(
    backbone=dict(base_channels=width),
    neck=dict(
        in_channels=[width, 2 * width, 4 * width, 8 * width],
        out_channels=channels,
    ),
    bbox_head=dict(in_channels=channels, feat_channels=channels),
)

train_dataloader = dict(dataset=dict(indices=800))
optim_wrapper = dict(optimizer=dict(lr=0.006))
