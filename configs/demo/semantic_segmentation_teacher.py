# The teacher: the student's network, twice as wide, with more scenes.
_base_ = 'semantic_segmentation_baseline.py'

width = 16
model = dict(
    backbone=dict(base_channels=width, stem_channels=width),
    decode_head=dict(in_channels=8 * width, channels=4 * width),
    auxiliary_head=dict(in_channels=4 * width, channels=2 * width),
)

train_dataloader = dict(dataset=dict(indices=800))

max_iters = 700
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='PolyLR', eta_min=1e-5, power=0.9, end=max_iters, by_epoch=False
    ),
]
default_hooks = dict(checkpoint=dict(interval=max_iters))
