# The teacher: deeper, of the student's widths, six epochs.
_base_ = 'alone.py'

model = dict(backbone=dict(depth=34))

max_iters = 5160
train_cfg = dict(max_iters=max_iters, val_interval=860)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=max_iters, by_epoch=False),
]
