# Self-distillation: the teacher is a trained student. Recipe: row 5.
_base_ = './mgd-channel_resnet34_resnet18_8xb32_in1k.py'

model = dict(teacher=dict(config='mmpretrain::resnet/resnet18_8xb32_in1k.py'))
