# Self-distillation by MGD with a mask over channels.
_base_ = '../paper_setting/mgd-channel.py'

model = dict(
    teacher=dict(
        config='teacher.py',
        checkpoint='docs/studies/self-distillation/teacher.pth',
    )
)
