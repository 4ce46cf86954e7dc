# PKD. Student RetinaNet R50 (box AP 37.4), teacher Mask R-CNN Swin-S (48.2).
# MMRazor 1.0.0: 41.5. Recipe: configs/README.md, row 15.
_base_ = 'mmdet::retinanet/retinanet_r50_fpn_2x_coco.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='mmdet::swin/mask-rcnn_swin-s-p4-w7_fpn_amp-ms-crop-3x_coco.py'
    ),
    distill=dict(
        loss_pkd=dict(
            # Level by level, as published: strides 8 to 64 of the student
            # beside 4 to 32 of the teacher, to whose size they are brought.
            points=[f'neck[{i}]' for i in range(4)],
            resize='student',
            loss=dict(type='mmmgd.PKDLoss', loss_weight=6),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
