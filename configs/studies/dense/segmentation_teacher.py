# The teacher: the student's network, four times as wide, six epochs.
_base_ = 'segmentation_alone.py'

width = 32
model = dict(
    backbone=dict(
        base_channels=width,
        stem_channels=width,
        init_cfg=dict(checkpoint='work_dirs/studies/dense/backbone-w32.pth'),
    ),
    decode_head=dict(in_channels=8 * width, channels=4 * width),
    auxiliary_head=dict(in_channels=4 * width, channels=2 * width),
)

max_iters = 3000
train_cfg = dict(max_iters=max_iters, val_interval=1000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='PolyLR', eta_min=1e-5, power=0.9, end=max_iters, by_epoch=False
    ),
]
