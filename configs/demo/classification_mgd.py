# The student with the teacher's help. Train the teacher first (`make demo`
# does): configs/demo/classification_teacher.py.
_base_ = 'classification_baseline.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='classification_teacher.py',
        checkpoint='work_dirs/demo/classification/teacher/last.pth',
    ),
    distill=dict(
        loss_mgd=dict(
            points='backbone.layer4',
            connector=dict(
                type='mmmgd.MGDConnector', mask_ratio=0.15, mask_dim='channel'
            ),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-2),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
