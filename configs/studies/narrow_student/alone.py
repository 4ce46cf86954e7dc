# The narrow student alone: half as wide as the paper setting's.
_base_ = '../paper_setting/alone.py'

width = 8
model = dict(
    backbone=dict(stem_channels=width, base_channels=width),
    head=dict(in_channels=8 * width),
)
