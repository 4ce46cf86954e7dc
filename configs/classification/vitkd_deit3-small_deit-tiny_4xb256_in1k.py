# ViTKD: imitate shallow layers, generate the deep one. Student DeiT-Tiny
# (74.42), teacher DeiT III-Small (83.06). Authors: 76.06
# (yzd-v/cls_KD@1e5d48f). Recipe: configs/README.md, row 16.
_base_ = 'mmpretrain::deit/deit-tiny_4xb256_in1k.py'

model = dict(
    _delete_=True,
    type='mmmgd.MGDDistill',
    student=_base_.model,
    teacher=dict(
        config='mmpretrain::deit3/deit3-small-p16_64xb64_in1k.py',
        # The first one that is published for this config saw ImageNet-1k only.
        checkpoint='https://download.openmmlab.com/mmclassification/v0/deit3/deit3-small-p16_in21k-pre_3rdparty_in1k_20221009-dcd90827.pth',
    ),
    distill=dict(
        loss_shallow=dict(
            points=['backbone.layers.0', 'backbone.layers.1'],
            connector=dict(type='mmmgd.AlignConnector'),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=3e-5),
        ),
        loss_deep=dict(
            points='backbone.ln1',
            connector=dict(
                type='mmmgd.MGDConnector',
                mask_ratio=0.5,
                mask='fixed',
                mask_token=True,
            ),
            loss=dict(
                type='mmmgd.MGDLoss', loss_weight=3e-6, hidden_only=True
            ),
        ),
    ),
)

default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
