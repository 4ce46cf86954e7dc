# The teacher: the student's network, eight times as wide, on all training
# scans (the validation scans are the same).
_base_ = 'classification_baseline.py'

width = 32
model = dict(
    backbone=dict(stem_channels=width, base_channels=width),
    head=dict(in_channels=8 * width),
)
train_dataloader = dict(
    batch_size=32,
    drop_last=True,  # the last 4 of 740 images would spoil BN's statistics
    dataset=dict(data_root='data/digits/train'),
)

max_epochs = 20
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = dict(T_max=max_epochs)
default_hooks = dict(checkpoint=dict(interval=max_epochs))
