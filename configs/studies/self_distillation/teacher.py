# The student's own network as its teacher, six epochs.
_base_ = '../paper_setting/teacher.py'

model = dict(backbone=dict(depth=18))
