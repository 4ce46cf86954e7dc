# MGD. Student PSPNet R18 (mIoU 69.85), teacher PSPNet R101 (78.34).
# Authors: 73.63. Recipe: configs/README.md, row 11.
_base_ = 'pspnet_r18-d8_8xb2-40k_cityscapes-512x512.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='mmseg::pspnet/pspnet_r101-d8_4xb2-40k_cityscapes-512x1024.py'
    ),
    distill=dict(
        loss_mgd=dict(
            points='backbone.layer4',
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.75),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=2e-5),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
