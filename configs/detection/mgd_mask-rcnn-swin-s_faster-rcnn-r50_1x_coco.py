# MGD. Student Faster R-CNN R50, teacher Mask R-CNN Swin-S.
# Nobody has trained this pair: configs/README.md, families.
_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='mmdet::swin/mask-rcnn_swin-s-p4-w7_fpn_amp-ms-crop-3x_coco.py'
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
