# MGD with a mask over channels, and soft labels.
_base_ = 'mgd-channel.py'

model = dict(
    distill=dict(
        loss_kd=dict(
            points='head.fc',
            loss=dict(type='mmmgd.KLDivergence', tau=4, loss_weight=1.0),
        )
    )
)
