# MGD with a mask over positions.
_base_ = 'mgd-channel.py'

model = dict(
    distill=dict(
        loss_mgd=dict(connector=dict(mask_ratio=0.5, mask_dim='spatial'))
    )
)
