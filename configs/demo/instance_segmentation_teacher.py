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
