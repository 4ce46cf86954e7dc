# MGD, pixel mask. Authors: 71.58 (yzd-v/MGD, issue 17). Recipe: row 2.
_base_ = './mgd-channel_resnet34_resnet18_8xb32_in1k.py'

model = dict(
    distill=dict(
        loss_mgd=dict(connector=dict(mask_ratio=0.5, mask_dim='spatial'))
    )
)
