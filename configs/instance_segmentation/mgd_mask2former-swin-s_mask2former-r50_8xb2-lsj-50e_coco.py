# MGD. Student Mask2Former R50, teacher Mask2Former Swin-S.
# Nobody has trained this pair: configs/README.md, families.
_base_ = 'mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='mmdet::mask2former/mask2former_swin-s-p4-w7-224_8xb2-lsj-50e_coco.py'
    ),
    distill=dict(
        loss_mgd=dict(
            points='panoptic_head.pixel_decoder.mask_feature',
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.65),
            loss=dict(type='mmmgd.MGDLoss', loss_weight='auto'),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
