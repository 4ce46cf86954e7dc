# SOLO R101 3x (mask AP 37.1), a teacher that mmdet does not ship. Weights: the
# original SOLO_R101_3x file, through
# tools/model_converters/solo_original.py.
_base_ = 'mmdet::solo/solo_r50_fpn_3x_coco.py'

model = dict(
    backbone=dict(
        depth=101,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101'),
    )
)
