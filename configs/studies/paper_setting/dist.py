# Relations of classes and of samples.
_base_ = 'mgd-channel.py'

model = dict(
    distill=dict(
        _delete_=True,
        loss_dist=dict(
            points='head.fc',
            loss=dict(
                type='mmmgd.DISTLoss', beta=1, gamma=1, tau=1, loss_weight=2.0
            ),
        ),
    )
)
