# The student of row 3 alone; MMPretrain does not have it. Authors: 69.21.
_base_ = 'mmpretrain::resnet/resnet50_8xb32_in1k.py'

model = dict(
    backbone=dict(_delete_=True, type='mmmgd.MobileNetV1'),
    head=dict(in_channels=1024),
)
