# Channel-wise divergence of the last map.
_base_ = 'mgd-channel.py'

model = dict(
    distill=dict(
        _delete_=True,
        loss_cwd=dict(
            points='backbone.layer4',
            loss=dict(
                type='mmmgd.ChannelWiseDivergence', tau=1, loss_weight=3.0
            ),
        ),
    )
)
