# MGD. Student RTMDet-ins-tiny, teacher RTMDet-ins-l.
# Nobody has trained this pair: configs/README.md, families.
_base_ = 'mmdet::rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(config='mmdet::rtmdet/rtmdet-ins_l_8xb32-300e_coco.py'),
    distill=dict(
        loss_mgd=dict(
            points=[f'neck.out_convs.{i}.conv' for i in range(3)],
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.65),
            loss=dict(type='mmmgd.MGDLoss', loss_weight='auto'),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
