# MGD. Student SegFormer-B0, teacher DINOv2 ViT-L at 448 pixels for a crop of
# 512, where its 32x32 patches are the positions of the student's stage 3.
# Nobody has trained this pair: configs/README.md, families.
_base_ = 'mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='mmpretrain::dinov2/vit-large-p14_dinov2-pre_headless.py',
        input_size=448,
    ),
    distill=dict(
        loss_mgd=dict(
            points=dict(student='backbone[2]', teacher='backbone.ln1'),
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.75),
            loss=dict(type='mmmgd.MGDLoss', loss_weight='auto'),
        )
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
