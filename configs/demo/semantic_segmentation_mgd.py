# The student with the teacher's help: features, and logits as in the paper.
_base_ = 'semantic_segmentation_baseline.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='semantic_segmentation_teacher.py',
        checkpoint='work_dirs/demo/semantic_segmentation/teacher/last.pth',
    ),
    distill=dict(
        loss_mgd=dict(
            points='backbone.layer4',
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.75),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-4),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
