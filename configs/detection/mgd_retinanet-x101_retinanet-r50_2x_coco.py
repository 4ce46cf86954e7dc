# MGD. Student RetinaNet R50 (box AP 37.4), teacher RetinaNet X101-64x4d 1x
# (41.0). Authors: 41.0 (yzd-v/MGD@2c9da0b). Recipe: configs/README.md, row 6.
_base_ = 'mmdet::retinanet/retinanet_r50_fpn_2x_coco.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    # The paper's teacher. The authors' released config names the 3x one:
    # 'mmdet::retinanet/retinanet_x101-64x4d_fpn_ms-640-800-3x_coco.py'.
    teacher=dict(
        config='mmdet::retinanet/retinanet_x101-64x4d_fpn_1x_coco.py'
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
