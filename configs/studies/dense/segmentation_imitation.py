# Direct imitation of the last stage, through a 1x1 convolution.
_base_ = 'segmentation_mgd.py'

model = dict(
    distill=dict(
        loss_mgd=dict(
            connector=dict(_delete_=True, type='mmmgd.AlignConnector')
        )
    )
)
