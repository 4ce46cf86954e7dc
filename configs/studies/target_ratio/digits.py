# The demo's classification with the weight measured in its first steps; the
# study sets the ratio that it aims at.
_base_ = '../../demo/classification_mgd.py'

model = dict(
    teacher=dict(config='../../demo/classification_teacher.py'),
    distill=dict(
        loss_mgd=dict(loss=dict(loss_weight='auto'), auto=dict(target_ratio=1))
    ),
)
