# Pearson's correlation of each channel of the last map.
_base_ = 'mgd-channel.py'

model = dict(
    distill=dict(
        _delete_=True,
        loss_pkd=dict(
            points='backbone.layer4',
            loss=dict(type='mmmgd.PKDLoss', loss_weight=1.0),
        ),
    )
)
