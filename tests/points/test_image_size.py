"""The training crop, as real configs state it."""

import pytest

from mmmgd.config import read_config, stated_size, whole_model
from mmmgd.points.image_size import (
    LADDER,
    DryPassError,
    confirming_sizes,
    first_that_works,
    image_sizes,
)


@pytest.mark.parametrize(
    ('config', 'expected'),
    [
        ('mmpretrain::resnet/resnet18_8xb32_in1k.py', (224, 224)),
        ('mmpretrain::swin_transformer/swin-base_16xb64_in1k-384px.py',
         (384, 384)),
        ('mmpretrain::resnet/resnet18_8xb16_cifar10.py', (32, 32)),
        ('mmpretrain::lenet/lenet5_mnist.py', (32, 32)),
        # resized with their ratio kept: no crop
        ('mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', None),
        # crops of many sizes
        ('mmdet::detr/detr_r50_8xb2-150e_coco.py', None),
        ('mmdet::ssd/ssd300_coco.py', (300, 300)),
        ('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py', (640, 640)),
        ('mmdet::yolox/yolox_s_8xb8-300e_coco.py', (640, 640)),
        ('mmdet::efficientnet/retinanet_effb3_fpn_8xb4-crop896-1x_coco.py',
         (896, 896)),
        ('mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco.py',
         (1024, 1024)),
        ('mmseg::pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py',
         (512, 1024)),
        ('mmseg::segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',
         (512, 512)),
    ],
)  # fmt: skip
def test_what_configs_state(config, expected):
    cfg = read_config(config)
    assert stated_size(whole_model(cfg), cfg) == expected


def test_the_order_of_what_is_stated():
    model = dict(backbone=dict(img_size=384), data_preprocessor=dict())
    assert stated_size(model) == (384, 384)
    crop = dict(type='RandomResizedCrop', scale=160)
    cfg = dict(
        train_dataloader=dict(
            dataset=dict(
                type='RepeatDataset', dataset=dict(type='X', pipeline=[crop])
            )
        )
    )
    assert stated_size(model, cfg) == (160, 160)
    model['data_preprocessor']['size'] = (64, 96)
    assert stated_size(model, cfg) == (64, 96)


def test_a_wanted_size_is_the_only_one():
    assert image_sizes({}, 96) == [(96, 96)]
    assert image_sizes({}, (64, 96)) == [(64, 96)]
    assert image_sizes({}) == LADDER
    for wrong in ('big', (1, 2, 3), -1, True):
        with pytest.raises(ValueError, match='Expected `image_size`'):
            image_sizes({}, wrong)


def test_square_images_are_confirmed_by_others():
    assert confirming_sizes((128, 128)) == [(128, 256)]
    assert confirming_sizes((224, 224)) == [(112, 224), (224, 448)]
    assert confirming_sizes((512, 512)) == [(256, 512), (512, 1024)]
    assert confirming_sizes((512, 1024)) == []


def test_the_first_size_that_works_and_the_first_reason():
    tried = []

    def attempt(size):
        tried.append(size)
        if size < (300, 300):
            raise DryPassError(f'not {size}')
        return size

    assert first_that_works(LADDER, attempt) == (384, 384)
    assert tried == [(224, 224), (256, 256), (384, 384)]
    with pytest.raises(DryPassError, match=r'not \(224, 224\)'):
        first_that_works(LADDER[:2], attempt)
