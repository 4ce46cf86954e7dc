# MGD. Student ConvNeXt-T, teacher DINOv2 ViT-B, whose 16x16 patches of an
# image of 224 pixels take the size of the student's 7x7 map.
# Nobody has trained this pair: configs/README.md, families.
_base_ = 'mmpretrain::convnext/convnext-tiny_32xb128_in1k.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='mmpretrain::dinov2/vit-base-p14_dinov2-pre_headless.py'
    ),
    distill=dict(
        loss_mgd=dict(
            points=dict(student='backbone.stages.3', teacher='backbone.ln1'),
            resize='teacher',
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.5),
            loss=dict(type='mmmgd.MGDLoss', loss_weight='auto'),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
