# Direct imitation of a trained student: the contrast to row 5.
_base_ = './mimic_resnet34_resnet18_8xb32_in1k.py'

model = dict(teacher=dict(config='mmpretrain::resnet/resnet18_8xb32_in1k.py'))
