# Channel-wise divergence of the five levels. The coarsest has one position on
# scenes of 128x128, where the divergence is zero.
_base_ = 'detection_mgd.py'

model = dict(
    distill=dict(
        _delete_=True,
        loss_cwd=dict(
            points=[f'neck.fpn_convs.{i}.conv' for i in range(5)],
            loss=dict(
                type='mmmgd.ChannelWiseDivergence', tau=1, loss_weight='auto'
            ),
        ),
    )
)
