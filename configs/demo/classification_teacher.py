# The teacher: the student's network, eight times as wide.
_base_ = 'classification_baseline.py'

width = 32
model = dict(
    backbone=dict(stem_channels=width, base_channels=width),
    head=dict(in_channels=8 * width),
)
