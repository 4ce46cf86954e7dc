# The teacher: the student's network, wider, and trained for longer.
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
