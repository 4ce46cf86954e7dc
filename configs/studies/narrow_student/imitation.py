# Imitation at the teacher's width, through a 1x1 convolution.
_base_ = 'mgd-spatial.py'

model = dict(
    distill=dict(
        loss_mgd=dict(
            connector=dict(_delete_=True, type='mmmgd.AlignConnector')
        )
    )
)
