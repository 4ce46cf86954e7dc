# MGD. Student RepPoints R50 (box AP 38.6), teacher RepPoints X101-DCN (44.2).
# Authors: 42.3. Recipe: configs/README.md, row 8. The points lie before GN.
_base_ = 'mmdet::reppoints/reppoints-moment_r50_fpn-gn_head-gn_2x_coco.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='mmdet::reppoints/'
        'reppoints-moment_x101-dconv-c3-c5_fpn-gn_head-gn_2x_coco.py'
    ),
    inherit=['neck', 'bbox_head'],
    distill=dict(
        loss_mgd=dict(
            points=[f'neck.fpn_convs.{i}.conv' for i in range(5)],
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.65),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=2e-5),
        )
    ),
)

optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
