# The teacher: a backbone twice as wide, and more scenes. Its head has the
# student's widths, so that the student can inherit it.
_base_ = 'instance_segmentation_baseline.py'

width = 16
model = dict(
    backbone=dict(
        base_channels=width,
        init_cfg=dict(checkpoint='work_dirs/demo/detection/teacher/last.pth'),
    ),
    neck=dict(in_channels=[width, 2 * width, 4 * width, 8 * width]),
)

train_dataloader = dict(dataset=dict(indices=800))

max_epochs = 12
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
default_hooks = dict(checkpoint=dict(interval=max_epochs))
