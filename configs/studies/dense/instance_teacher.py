# The teacher: a backbone four times as wide, the same FPN, six epochs.
_base_ = 'instance_alone.py'

width = 32
model = dict(
    backbone=dict(
        base_channels=width,
        init_cfg=dict(checkpoint='work_dirs/studies/dense/backbone-w32.pth'),
    ),
    neck=dict(in_channels=[width, 2 * width, 4 * width, 8 * width]),
)

max_epochs = 6
train_cfg = dict(max_epochs=max_epochs, val_interval=3)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
