# The student alone: DeepLabV3 R18, crop 512 x 512, 40k iterations, 8 x 2 images;
# mmseg ships it at crop 512 x 1024 only. Authors: mIoU 73.20.
_base_ = 'mmseg::deeplabv3/deeplabv3_r50-d8_4xb2-40k_cityscapes-512x1024.py'

crop_size = (512, 512)
data_preprocessor = dict(size=crop_size)
model = dict(
    data_preprocessor=data_preprocessor,
    pretrained='open-mmlab://resnet18_v1c',
    backbone=dict(depth=18),
    decode_head=dict(in_channels=512, channels=128),
    auxiliary_head=dict(in_channels=256, channels=64),
)

train_pipeline = _base_.train_pipeline
train_pipeline[3].update(crop_size=crop_size)  # RandomCrop
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

auto_scale_lr = dict(enable=False, base_batch_size=16)
