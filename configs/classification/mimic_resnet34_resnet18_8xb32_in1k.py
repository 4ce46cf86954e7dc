# Direct imitation, the paper's contrast: no mask and no generator; the width
# is aligned where it differs (here it does not).
_base_ = './mgd-channel_resnet34_resnet18_8xb32_in1k.py'

model = dict(
    distill=dict(
        loss_mgd=dict(
            connector=dict(_delete_=True, type='mmmgd.AlignConnector')
        )
    )
)
