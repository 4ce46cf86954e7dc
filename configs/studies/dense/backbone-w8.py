# What students begin with: the same, a quarter as wide.
_base_ = 'backbone-w32.py'

width = 8
model = dict(
    backbone=dict(stem_channels=width, base_channels=width),
    head=dict(in_channels=8 * width),
)
