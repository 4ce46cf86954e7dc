# MGD as the paper classifies: a mask over channels.
_base_ = 'alone.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='teacher.py',
        checkpoint='docs/studies/paper-setting/teacher.pth',
    ),
    distill=dict(
        loss_mgd=dict(
            points='backbone.layer4',
            connector=dict(
                type='mmmgd.MGDConnector', mask_ratio=0.15, mask_dim='channel'
            ),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-3),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
