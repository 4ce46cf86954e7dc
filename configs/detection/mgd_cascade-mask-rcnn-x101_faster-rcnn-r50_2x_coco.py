# MGD. Student Faster R-CNN R50 (box AP 38.4), teacher Cascade Mask R-CNN
# X101-32x4d-DCN (47.3). Authors: 42.1. Recipe: configs/README.md, row 7.
_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_2x_coco.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='mmdet::dcn/'
        'cascade-mask-rcnn_x101-32x4d-dconv-c3-c5_fpn_1x_coco.py'
    ),
    distill=dict(
        loss_mgd=dict(
            points=[f'neck.fpn_convs.{i}.conv' for i in range(4)],
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.45),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=5e-7),
        )
    ),
)

optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
