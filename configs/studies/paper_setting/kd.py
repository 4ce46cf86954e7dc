# Soft labels alone: Hinton's knowledge distillation.
_base_ = 'mgd-channel.py'

model = dict(
    distill=dict(
        _delete_=True,
        loss_kd=dict(
            points='head.fc',
            loss=dict(type='mmmgd.KLDivergence', tau=4, loss_weight=1.0),
        ),
    )
)
