# Direct imitation, the contrast: width aligned, no mask, no generator.
_base_ = 'classification_mgd.py'

model = dict(
    distill=dict(
        loss_mgd=dict(
            connector=dict(_delete_=True, type='mmmgd.AlignConnector')
        )
    )
)
