# MGD on the four levels of the FPN, as the paper segments instances.
_base_ = 'instance_alone.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='instance_teacher.py',
        checkpoint='work_dirs/studies/dense/instance-teacher.pth',
    ),
    distill=dict(
        loss_mgd=dict(
            points=[f'neck.fpn_convs.{i}.conv' for i in range(4)],
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.45),
            loss=dict(type='mmmgd.MGDLoss', loss_weight='auto'),
        )
    ),
)

optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
