# Imitation through a learned 1x1 convolution, though the widths agree.
_base_ = 'mgd-channel.py'

model = dict(
    distill=dict(
        loss_mgd=dict(
            connector=dict(
                _delete_=True,
                type='Conv2d',
                in_channels=128,
                out_channels=128,
                kernel_size=1,
            )
        )
    )
)
