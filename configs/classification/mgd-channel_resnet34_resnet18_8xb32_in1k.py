# MGD, channel mask. Student ResNet-18 (69.90), teacher ResNet-34 (73.62).
# Authors: 71.69 (yzd-v/MGD@2c9da0b). Recipe: configs/README.md, row 1.
_base_ = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(config='mmpretrain::resnet/resnet34_8xb32_in1k.py'),
    distill=dict(
        loss_mgd=dict(
            points='backbone.layer4',
            connector=dict(
                type='mmmgd.MGDConnector', mask_ratio=0.15, mask_dim='channel'
            ),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=7e-5),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
