# MGD, channel mask, plus the logit loss WSLD. Recipe: row 4.
_base_ = './mgd-channel_resnet34_resnet18_8xb32_in1k.py'

model = dict(
    distill=dict(
        loss_wsld=dict(
            points='head.fc',
            loss=dict(type='mmmgd.WSLD', tau=2, loss_weight=2.5),
        )
    )
)
