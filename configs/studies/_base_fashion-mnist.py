# Fashion-MNIST, 28x28 pixels, for the studies in docs/studies/: trained on the
# first 55,000 training images, watched on the 5,000 held out, tested once on
# the 10,000 test images. `make data` writes the data.
_base_ = 'mmpretrain::_base_/default_runtime.py'

data_root = 'data/fashion-mnist'
data_preprocessor = dict(num_classes=10, mean=[73], std=[90])
train_pipeline = [
    dict(type='RandomCrop', crop_size=28, padding=2),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
dataset = dict(type='FashionMNIST', data_root=data_root, download=False)
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    dataset=dict(dataset, indices=55000, pipeline=train_pipeline),
    sampler=dict(type='InfiniteSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    dataset=dict(dataset, indices=-5000, pipeline=[dict(type='PackInputs')]),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = dict(
    batch_size=250,
    num_workers=0,
    # The stock dataset reads the test images by `test_mode`, not by `split`.
    dataset=dict(
        dataset,
        split='test',
        test_mode=True,
        pipeline=[dict(type='PackInputs')],
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator

max_iters = 1290  # one epoch and a half
train_cfg = dict(by_epoch=False, max_iters=max_iters, val_interval=258)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0005)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=max_iters, by_epoch=False),
]
default_hooks = dict(
    logger=dict(interval=43),
    checkpoint=dict(interval=430, by_epoch=False, max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False, window_size=43)
# In tools/, from where train.py and test.py import it.
custom_hooks = [dict(type='mmmgd.ChannelsLastHook')]
randomness = dict(seed=0)
