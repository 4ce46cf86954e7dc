# MGD, channel mask. Student MobileNetV1 (69.21), teacher ResNet-50 (76.55).
# Authors: 72.49 (yzd-v/MGD@2c9da0b). Recipe: configs/README.md, row 3.
_base_ = './mobilenet-v1_8xb32_in1k.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(config='mmpretrain::resnet/resnet50_8xb32_in1k.py'),
    distill=dict(
        loss_mgd=dict(
            points=dict(student='backbone.stage5', teacher='backbone.layer4'),
            connector=dict(
                type='mmmgd.MGDConnector', mask_ratio=0.15, mask_dim='channel'
            ),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=7e-5),
        )
    ),
)

optim_wrapper = dict(clip_grad=dict(max_norm=5.0, norm_type=2))
default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
