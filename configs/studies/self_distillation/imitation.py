# Self-distillation by direct imitation.
_base_ = 'mgd-channel.py'

model = dict(
    distill=dict(
        loss_mgd=dict(
            connector=dict(_delete_=True, type='mmmgd.AlignConnector')
        )
    )
)
