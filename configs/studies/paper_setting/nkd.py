# Normalised soft labels.
_base_ = 'mgd-channel.py'

model = dict(
    distill=dict(
        _delete_=True,
        loss_nkd=dict(
            points='head.fc',
            loss=dict(type='mmmgd.NKDLoss', gamma=1.5, tau=1, loss_weight=1.0),
        ),
    )
)
