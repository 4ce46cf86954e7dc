# MGD with a mask over positions: 64 channels are aligned to the teacher's 128.
_base_ = 'alone.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='../paper_setting/teacher.py',
        checkpoint='docs/studies/paper-setting/teacher.pth',
    ),
    distill=dict(
        loss_mgd=dict(
            points='backbone.layer4',
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.5),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-3),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
