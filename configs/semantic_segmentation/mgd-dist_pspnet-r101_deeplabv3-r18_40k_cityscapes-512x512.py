# MGD and DIST of the logits (hunto/DIST_KD@2418f18), before resizing.
# Recipe: configs/README.md, row 14.
_base_ = 'mgd_pspnet-r101_deeplabv3-r18_40k_cityscapes-512x512.py'

model = dict(
    distill=dict(
        loss_dist=dict(
            points='decode_head.conv_seg',
            loss=dict(
                type='mmmgd.DISTLoss', beta=1, gamma=1, tau=1, loss_weight=1
            ),
        )
    )
)
