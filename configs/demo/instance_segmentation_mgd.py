# The student with the teacher's help.
_base_ = 'instance_segmentation_baseline.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='instance_segmentation_teacher.py',
        checkpoint='work_dirs/demo/instance_segmentation/teacher/last.pth',
    ),
    inherit=['mask_head'],
    distill=dict(
        loss_mgd=dict(
            points=[f'neck.fpn_convs.{i}.conv' for i in range(4)],
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.65),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=2e-6),
        )
    ),
)

optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
