"""The teacher sees what its own preprocessor would have given it."""

import copy

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.registry import MODELS

from mmmgd.teacher.normalization import (
    Normalization,
    normalization_of,
    renormalize,
)

MEAN, STD = [103.53, 116.28, 123.675], [57.375, 57.12, 58.395]
TORCHVISION = dict(mean=MEAN[::-1], std=STD[::-1])
CAFFE = dict(mean=MEAN, std=[1.0] * 3)
KINDS = {
    'mmdet.DetDataPreprocessor': ('bgr_to_rgb', 'pad_value'),
    'mmseg.SegDataPreProcessor': ('bgr_to_rgb', 'pad_val'),
    'mmpretrain.ClsDataPreprocessor': ('to_rgb', 'pad_value'),
}


def _preprocessor(kind, flip, pad=0.0, **numbers):
    flip_name, pad_name = KINDS[kind]
    cfg = {'type': kind, flip_name: flip, pad_name: pad, **numbers}
    if 'Seg' in kind:
        cfg['size'] = (64, 64)
    return cfg


def _batch(kind, sizes=((40, 56), (64, 33))):
    """Raw pixels as a data loader gives them, of two sizes."""
    generator = torch.Generator().manual_seed(0)
    images = [
        torch.randint(0, 256, (3, *s), dtype=torch.uint8, generator=generator)
        for s in sizes
    ]
    if 'Seg' in kind:
        from mmseg.structures import SegDataSample

        return dict(
            inputs=images, data_samples=[SegDataSample() for _ in '12']
        )
    return dict(inputs=images, data_samples=None)


def _features(model, data):
    """Return the teacher's features, ours and those of its own input."""
    teacher = model.teacher.module
    own = teacher.data_preprocessor(copy.deepcopy(data), True)['inputs']
    ours = model.data_preprocessor(data, True)
    sizes = ours.get('image_sizes')
    features = model.teacher.extract(ours['inputs'], sizes)
    inputs, _ = model.teacher.adapt(ours['inputs'], sizes)
    model.teacher.adapt = None  # from now on it gets what is its own
    return inputs, own, features, model.teacher.extract(own)


@pytest.mark.parametrize('kind', KINDS)
def test_each_codebase_is_read(kind):
    for flip in (True, False):
        cfg = _preprocessor(kind, flip, 3.5, mean=MEAN, std=STD)
        found = normalization_of(MODELS.build(cfg))
        assert (found.flips_channels, found.pad_value) == (flip, 3.5)
        assert found.mean == pytest.approx(MEAN)
        assert found.std == pytest.approx(STD)
    raw = _preprocessor(kind, False)
    assert normalization_of(MODELS.build(raw)) == (False, (0,), (1,), 0)
    assert normalization_of(None) is None


TEACHERS = {
    'caffe': dict(flip=False, **CAFFE),
    'raw pixels': dict(flip=False),
    'unit range': dict(flip=True, mean=[0.0], std=[255.0]),
    'the same numbers, other padding': dict(flip=True, pad=2.5, **TORCHVISION),
    'caffe, padded with its own value': dict(flip=False, pad=-7.0, **CAFFE),
}


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('teacher', TEACHERS)
def test_features_are_those_under_the_teachers_own_preprocessor(
    distiller_cfg, build, kind, teacher
):
    """On a batch whose images are padded by different amounts."""
    cfg = distiller_cfg()
    cfg['student']['data_preprocessor'] = _preprocessor(
        kind, True, **TORCHVISION
    )
    cfg['teacher']['config']['data_preprocessor'] = _preprocessor(
        kind, **TEACHERS[teacher]
    )
    inputs, own, ours, expected = _features(build(cfg), _batch(kind))
    torch.testing.assert_close(inputs, own, rtol=1e-5, atol=1e-4)
    for point, feature in expected.items():
        error = (ours[point] - feature).abs().max() / feature.abs().max()
        assert error < 1e-5
    # what the student sees would have given something else
    assert not torch.equal(
        build(cfg).data_preprocessor(_batch(kind), True)['inputs'], own
    )


def test_it_happens_in_a_training_step(distiller_cfg, build):
    """Through ``train_step``, as the Runner calls it."""
    from mmengine.optim import OptimWrapper
    from mmpretrain.structures import DataSample

    cfg = distiller_cfg()
    kind = 'mmpretrain.ClsDataPreprocessor'
    cfg['student']['data_preprocessor'] = _preprocessor(
        kind, True, **TORCHVISION
    )
    cfg['teacher']['config']['data_preprocessor'] = _preprocessor(
        kind, False, **CAFFE
    )
    model = build(cfg)
    data = _batch(kind)
    data['data_samples'] = [DataSample().set_gt_label(i) for i in (0, 1)]
    own = model.teacher.module.data_preprocessor(copy.deepcopy(data), True)
    seen = []
    model.teacher.module.backbone.register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    model.train_step(data, OptimWrapper(optimizer))
    torch.testing.assert_close(seen[0], own['inputs'], rtol=1e-5, atol=1e-4)
    # validation is the student's, and never asks for the sizes
    assert len(model.val_step(data)) == 2


def test_the_same_normalisation_leaves_the_batch_alone(
    distiller_cfg, build, batch
):
    model = build(distiller_cfg())
    assert model.teacher.adapt(batch[0])[0] is batch[0]
    data = dict(inputs=list(batch[0]), data_samples=None)
    assert set(model.data_preprocessor(data, True)) == {
        'inputs',
        'data_samples',
    }


def test_by_hand():
    """One pixel, computed with a pencil."""
    source = Normalization(True, (10.0, 20.0, 30.0), (2.0, 4.0, 5.0), 0.0)
    target = Normalization(False, (1.0,), (10.0,), 9.0)
    # RGB pixel (14, 28, 45) as the student sees it
    x = torch.tensor([2.0, 2.0, 3.0]).view(1, 3, 1, 1).repeat(1, 1, 1, 2)
    y = renormalize(x, [(1, 1)], source=source, target=target)
    expected = [[[4.4, 9.0]], [[2.7, 9.0]], [[1.3, 9.0]]]  # BGR, (p - 1) / 10
    torch.testing.assert_close(y[0], torch.tensor(expected))
    assert torch.equal(x[0, :, 0, 1], torch.tensor([2.0, 2.0, 3.0]))


AUGMENTS = {
    'mmpretrain.ClsDataPreprocessor': dict(
        augments=[dict(type='Mixup', alpha=0.5)]
    ),
    'mmdet.DetDataPreprocessor': [
        dict(
            type='mmdet.BatchSyncRandomResize',
            random_size_range=(64, 128),
            interval=1,
        )
    ],
}


@pytest.mark.parametrize('kind', AUGMENTS)
def test_moved_padding_is_refused_and_moved_images_are_not(
    distiller_cfg, build, kind
):
    cfg = distiller_cfg()
    cfg['student']['data_preprocessor'] = _preprocessor(
        kind, True, batch_augments=AUGMENTS[kind], **TORCHVISION
    )
    cfg['teacher']['config']['data_preprocessor'] = _preprocessor(
        kind, False, **CAFFE
    )
    model = build(cfg)
    MessageHub.get_current_instance().update_info('iter', 0)  # a Runner does
    with pytest.raises(RuntimeError, match='`data_preprocessor.batch_augm'):
        model.data_preprocessor(_batch(kind), True)
    whole = _batch(kind, ((64, 64), (64, 64)))
    if 'Det' in kind:  # resizes from the second batch on
        whole['data_samples'] = []
    for _ in range(4):
        data = model.data_preprocessor(dict(whole), True)
        size = tuple(data['inputs'].shape[-2:])
        assert data['image_sizes'] == [size, size]


def test_a_teacher_that_states_none_takes_what_comes(
    distiller_cfg, build, batch
):
    cfg = distiller_cfg()
    del cfg['teacher']['config']['data_preprocessor']
    assert build(cfg).teacher.adapt(batch[0])[0] is batch[0]
