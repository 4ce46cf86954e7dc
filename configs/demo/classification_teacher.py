# The teacher: the student's network, four times as wide.
_base_ = 'classification_baseline.py'

width = 16
model = dict(
    backbone=dict(stem_channels=width, base_channels=width),
    head=dict(in_channels=8 * width),
)
