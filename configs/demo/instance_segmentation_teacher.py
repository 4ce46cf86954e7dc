# The teacher: a backbone four times as wide, and more scenes. Its head has the
# student's widths, so that the student can inherit it.
_base_ = 'instance_segmentation_baseline.py'

width = 32
model = dict(
    backbone=dict(base_channels=width),
    neck=dict(in_channels=[width, 2 * width, 4 * width, 8 * width]),
)

train_dataloader = dict(dataset=dict(indices=800))
