# MGD. Student SegNeXt-T, teacher SegNeXt-L, all four stages.
# Nobody has trained this pair: configs/README.md, families.
_base_ = 'mmseg::segnext/segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='mmseg::segnext/'
        'segnext_mscan-l_1xb16-adamw-160k_ade20k-512x512.py'
    ),
    distill=dict(
        loss_mgd=dict(
            points=[f'backbone[{i}]' for i in range(4)],
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.75),
            loss=dict(type='mmmgd.MGDLoss', loss_weight='auto'),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
