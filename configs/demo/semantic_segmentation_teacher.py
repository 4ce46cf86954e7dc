# The teacher: the student's network, twice as wide, with more scenes.
_base_ = 'semantic_segmentation_baseline.py'

width = 16
model = dict(
    backbone=dict(base_channels=width, stem_channels=width),
    decode_head=dict(in_channels=8 * width, channels=4 * width),
    auxiliary_head=dict(in_channels=4 * width, channels=2 * width),
)

train_dataloader = dict(dataset=dict(indices=800))
optim_wrapper = dict(optimizer=dict(lr=0.002))
