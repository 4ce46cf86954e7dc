# The teacher: a backbone four times as wide, the same FPN.
_base_ = 'detection_alone.py'

width = 32
model = dict(
    backbone=dict(
        base_channels=width,
        init_cfg=dict(checkpoint='work_dirs/studies/dense/backbone-w32.pth'),
    ),
    neck=dict(in_channels=[width, 2 * width, 4 * width, 8 * width]),
)
