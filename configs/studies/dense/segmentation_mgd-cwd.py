# MGD and channel-wise divergence of the logits, as the authors do.
_base_ = 'segmentation_mgd.py'

model = dict(
    distill=dict(
        loss_cwd=dict(
            points='decode_head.conv_seg',
            loss=dict(
                type='mmmgd.ChannelWiseDivergence', tau=4, loss_weight=3
            ),
        )
    )
)
