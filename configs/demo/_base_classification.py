# Shared by the classification demo: handwritten digits, 8x8 pixels, in
# ImageNet's folder layout. The student has 10 labelled scans of each digit,
# the teacher learned from 74. `make demo` writes both; by hand:
#   python tools/dataset_converters/digits.py --out data/digits
#   python tools/dataset_converters/digits.py --out data/digits_few \
#       --train-per-class 10
_base_ = 'mmpretrain::_base_/default_runtime.py'

data_preprocessor = dict(num_classes=10, mean=[80] * 3, std=[95] * 3)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=8, padding=1),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]

train_dataloader = dict(
    batch_size=25,
    num_workers=0,
    dataset=dict(
        type='CustomDataset',
        data_root='data/digits_few/train',
        pipeline=train_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=256,
    num_workers=0,
    dataset=dict(
        type='CustomDataset',
        data_root='data/digits_few/val',
        pipeline=test_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator

max_epochs = 150
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0005)
)
param_scheduler = dict(
    type='CosineAnnealingLR',
    T_max=max_epochs,
    by_epoch=True,
    convert_to_iter_based=True,
)
default_hooks = dict(checkpoint=dict(interval=max_epochs))
randomness = dict(seed=0)
