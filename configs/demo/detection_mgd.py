# The student with the teacher's help.
_base_ = 'detection_baseline.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='detection_teacher.py',
        checkpoint='work_dirs/demo/detection/teacher/last.pth',
    ),
    distill=dict(
        loss_mgd=dict(
            points=[f'neck.fpn_convs.{i}.conv' for i in range(5)],
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.65),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=6e-6),
        )
    ),
)

optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
