# Direct imitation of the five levels.
_base_ = 'detection_mgd.py'

model = dict(
    distill=dict(
        loss_mgd=dict(
            connector=dict(_delete_=True, type='mmmgd.AlignConnector')
        )
    )
)
