# The generator without a mask.
_base_ = 'mgd-channel.py'

model = dict(distill=dict(loss_mgd=dict(connector=dict(mask_ratio=0.0))))
