# MGD on the last stage, 64 channels aligned to 256, as the paper segments.
_base_ = 'segmentation_alone.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='segmentation_teacher.py',
        checkpoint='work_dirs/studies/dense/segmentation-teacher.pth',
    ),
    distill=dict(
        loss_mgd=dict(
            points='backbone.layer4',
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.75),
            loss=dict(type='mmmgd.MGDLoss', loss_weight='auto'),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
