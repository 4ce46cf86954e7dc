# Scenes of clothes, 128x128 pixels, in Cityscapes' layout:
#   python tools/dataset_converters/fashion_scenes.py --layout cityscapes
_base_ = '../../demo/_base_semantic_segmentation.py'

classes = (
    'background',
    'T-shirt',
    'trouser',
    'pullover',
    'dress',
    'coat',
    'sandal',
    'shirt',
    'sneaker',
    'bag',
    'ankle boot',
)
data = dict(
    metainfo=dict(classes=classes), data_root='data/fashion_cityscapes/'
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=8, dataset=dict(data, indices=4000, pipeline=train_pipeline)
)
val_dataloader = dict(batch_size=20, dataset=data)
test_dataloader = val_dataloader

max_iters = 750  # one epoch and a half
train_cfg = dict(max_iters=max_iters, val_interval=250)
optim_wrapper = dict(optimizer=dict(lr=0.002))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='PolyLR', eta_min=1e-5, power=0.9, end=max_iters, by_epoch=False
    ),
]
default_hooks = dict(checkpoint=dict(interval=250, max_keep_ckpts=1))
custom_hooks = [dict(type='mmmgd.ChannelsLastHook')]
