# Imitation through a learned 1x1 convolution, though the widths agree.
_base_ = 'imitation.py'

model = dict(distill=dict(loss_mgd=dict(connector=dict(always=True))))
