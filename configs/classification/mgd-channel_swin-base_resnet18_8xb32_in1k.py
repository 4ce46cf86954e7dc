# MGD, channel mask. Student ResNet-18, teacher Swin-B, whose last stage has
# tokens.
# Nobody has trained this pair: configs/README.md, families.
_base_ = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='mmpretrain::swin_transformer/swin-base_16xb64_in1k.py'
    ),
    distill=dict(
        loss_mgd=dict(
            points=dict(student='backbone.layer4', teacher='backbone.norm3'),
            connector=dict(
                type='mmmgd.MGDConnector', mask_ratio=0.15, mask_dim='channel'
            ),
            loss=dict(type='mmmgd.MGDLoss', loss_weight='auto'),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
