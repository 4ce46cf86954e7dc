# MGD, channel mask, plus normalised KD of the logits (yzd-v/cls_KD@1e5d48f;
# NKD alone: 72.58). Recipe: configs/README.md, row 13.
_base_ = './mgd-channel_resnet50_mobilenet-v1_8xb32_in1k.py'

model = dict(
    distill=dict(
        loss_nkd=dict(
            points='head.fc',
            loss=dict(type='mmmgd.NKDLoss', gamma=1.5, tau=1, loss_weight=1),
        )
    )
)
