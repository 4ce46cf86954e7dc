# Pearson's correlation of each channel of the five levels, as PKD detects.
_base_ = 'detection_mgd.py'

model = dict(
    distill=dict(
        _delete_=True,
        loss_pkd=dict(
            points=[f'neck.fpn_convs.{i}.conv' for i in range(5)],
            loss=dict(type='mmmgd.PKDLoss', loss_weight='auto'),
        ),
    )
)
