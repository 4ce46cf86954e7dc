# ViTKD and normalised KD of the logits. Authors: 77.78
# (yzd-v/cls_KD@1e5d48f). Recipe: configs/README.md, row 16.
_base_ = './vitkd_deit3-small_deit-tiny_4xb256_in1k.py'

model = dict(
    distill=dict(
        loss_nkd=dict(
            points='head.layers.head',
            loss=dict(type='mmmgd.NKDLoss', gamma=1, tau=1, loss_weight=1),
        )
    )
)
