# MGD and channel-wise divergence of the logits. Authors: mIoU 76.31.
# Recipe: configs/README.md, row 12.
_base_ = 'mgd_pspnet-r101_deeplabv3-r18_40k_cityscapes-512x512.py'

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
