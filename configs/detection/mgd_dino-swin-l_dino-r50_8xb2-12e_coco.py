# MGD. Student DINO R50 (four levels), teacher DINO Swin-L (five levels, of
# which the finest has no partner).
# Nobody has trained this pair: configs/README.md, families.
_base_ = 'mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(config='mmdet::dino/dino-5scale_swin-l_8xb2-36e_coco.py'),
    distill=dict(
        loss_mgd=dict(
            points=dict(
                student=[f'neck.convs.{i}.conv' for i in range(3)]
                + ['neck.extra_convs.0.conv'],
                teacher=[f'neck.convs.{i}.conv' for i in range(1, 4)]
                + ['neck.extra_convs.0.conv'],
            ),
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.65),
            loss=dict(type='mmmgd.MGDLoss', loss_weight='auto'),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
