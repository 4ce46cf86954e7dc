# Direct imitation, the paper's contrast: the widths agree, so the student's
# map itself is compared.
_base_ = 'mgd-channel.py'

model = dict(
    distill=dict(
        loss_mgd=dict(
            connector=dict(_delete_=True, type='mmmgd.AlignConnector')
        )
    )
)
