# MGD. Student SOLO R50 1x (mask AP 33.1), teacher SOLO R101 3x (37.1).
# Authors: 36.2. Recipe: configs/README.md, row 9. The teacher's file is the
# original SOLO_R101_3x.pth, converted by tools/model_converters/
# solo_original.py. Without it, take SOLO R50 3x (35.9), which mmdet publishes:
# teacher=dict(config='mmdet::solo/solo_r50_fpn_3x_coco.py', checkpoint=None).
_base_ = 'mmdet::solo/solo_r50_fpn_1x_coco.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='solo_r101_fpn_3x_coco.py',
        checkpoint='checkpoints/solo_r101_fpn_3x_coco.pth',
    ),
    inherit=['neck', 'mask_head'],
    distill=dict(
        loss_mgd=dict(
            points=[f'neck.fpn_convs.{i}.conv' for i in range(4)],
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.65),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=2e-5),
        )
    ),
)

optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
