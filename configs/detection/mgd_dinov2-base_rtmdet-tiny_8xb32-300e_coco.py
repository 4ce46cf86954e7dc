# MGD. Student RTMDet-tiny, teacher DINOv2 ViT-B. Its input is brought to a
# multiple of its patches: 644 pixels for a crop of 640.
# Nobody has trained this pair: configs/README.md, families.
_base_ = 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='mmpretrain::dinov2/vit-base-p14_dinov2-pre_headless.py',
        multiple_of=14,
    ),
    distill=dict(
        loss_mgd=dict(
            points=dict(
                student='neck.out_convs.1.conv', teacher='backbone.ln1'
            ),
            resize='teacher',
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.65),
            loss=dict(type='mmmgd.MGDLoss', loss_weight='auto'),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
