# Shared by the instance segmentation demo: the scenes of the detection demo,
# with their masks.
_base_ = '_base_detection.py'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_evaluator = dict(metric='segm')
test_evaluator = val_evaluator
