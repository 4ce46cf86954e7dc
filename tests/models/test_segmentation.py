"""MGDDistill around mmseg's segmentors: real models at a small width."""

import copy
import logging

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.models.segmentors import EncoderDecoder
from mmseg.structures import SegDataSample

from mmmgd.config import read_config
from mmmgd.functional import channel_wise_divergence
from mmmgd.points.tap import FeatureTap

CITYSCAPES = '4xb2-40k_cityscapes-512x1024.py'
HEADS = {'pspnet': 'PSPHead', 'deeplabv3': 'ASPPHead'}
LOGITS = 'decode_head.conv_seg'


def _segmentor(name, width, classes=19):
    """Make an upstream segmentor small: ResNet-18 of a given width."""
    model = read_config(f'mmseg::{name}/{name}_r50-d8_{CITYSCAPES}').model
    model.pretrained = None
    model.backbone.update(depth=18, base_channels=width, stem_channels=width)
    model.decode_head.update(
        in_channels=8 * width, channels=16, num_classes=classes
    )
    model.auxiliary_head.update(
        in_channels=4 * width, channels=8, num_classes=classes
    )
    model.data_preprocessor.size = (96, 96)
    model['_scope_'] = 'mmseg'
    return model


def _distiller(student='pspnet', logits=True, teacher_classes=19):
    distill = dict(
        loss_mgd=dict(
            points='backbone.layer4',
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.75),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=2e-5),
        )
    )
    if logits:
        distill['loss_cwd'] = dict(
            points=LOGITS,
            loss=dict(
                type='mmmgd.ChannelWiseDivergence', tau=4, loss_weight=3
            ),
        )
    teacher = _segmentor('pspnet', 6, teacher_classes)
    return dict(
        type='mmmgd.MGDDistill',
        student=_segmentor(student, 4),
        teacher=dict(
            config=dict(model=teacher, default_scope='mmseg'),
            checkpoint=False,
        ),
        distill=distill,
    )


@pytest.fixture
def scene():
    """Two images of 96 x 96 pixels; a strip of each is to be ignored."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 96, 96, generator=generator)
    samples = []
    for i in range(2):
        labels = torch.randint(0, 19, (1, 96, 96), generator=generator)
        labels[:, : 8 + i] = 255
        sample = SegDataSample(metainfo=dict(img_shape=(96, 96)))
        sample.gt_sem_seg = PixelData(data=labels)
        samples.append(sample)
    return images, samples


@pytest.mark.parametrize('student', HEADS)
def test_the_losses_are_the_formulas(student, build, scene):
    """On logits and features recorded outside, and a mask drawn again."""
    model = build(_distiller(student))
    model.train()
    assert type(model.student.decode_head).__name__ == HEADS[student]
    images, samples = scene
    both = ['backbone.layer4', LOGITS]
    tap = FeatureTap(model.student, both, 'student')
    with tap.record() as s:
        losses = model(images, samples, mode='loss')
    with (
        torch.no_grad(),
        FeatureTap(model.teacher.module, both, 'teacher').record() as t,
    ):
        model.teacher.module(images, mode='tensor')
    assert s[LOGITS].shape == t[LOGITS].shape == (2, 19, 12, 12)
    divergence = 3 * channel_wise_divergence(s[LOGITS], t[LOGITS], 4)
    torch.testing.assert_close(
        losses['loss_cwd'], divergence, rtol=1e-5, atol=0
    )
    # The definition, written out: KL of softmax over positions, per channel.
    log_p, log_q = ((x[LOGITS].flatten(2) / 4).log_softmax(-1) for x in (t, s))
    plain = (log_p.exp() * (log_p - log_q)).sum() * 16 / (19 * 2) * 3
    torch.testing.assert_close(losses['loss_cwd'], plain, rtol=1e-5, atol=0)
    connector = model.terms['loss_mgd'].connectors[0]
    connector.mask_stream.draws -= 1
    rebuilt = connector(s['backbone.layer4'])
    mgd = 2e-5 * (rebuilt - t['backbone.layer4']).square().sum() / 2
    torch.testing.assert_close(losses['loss_mgd'], mgd, rtol=1e-5, atol=0)


def _count(module, names):
    """Count the calls of a module's methods, by name."""
    calls = []
    for name in names:
        found = getattr(module, name)

        def counted(*args, name=name, found=found, **kwargs):
            calls.append(name)
            return found(*args, **kwargs)

        setattr(module, name, counted)
    return calls


@pytest.mark.parametrize('logits', [False, True])
def test_what_of_the_teacher_runs(logits, build, scene, monkeypatch):
    """Never the auxiliary head nor the resize; the head only for logits."""
    model = build(_distiller(logits=logits))
    model.train()
    teacher = model.teacher.module
    heads = _count(teacher.decode_head, ['forward', 'loss', 'predict'])
    auxiliary = _count(teacher.auxiliary_head, ['forward', 'loss'])
    after = _count(teacher, ['postprocess_result', 'encode_decode', 'loss'])
    images, samples = scene
    for _ in range(10):
        model(images, copy.deepcopy(samples), mode='loss')
    assert heads == (['forward'] * 10 if logits else [])
    assert auxiliary == after == []
    # The same counters see these parts run when a stock model trains.
    teacher.loss(images, copy.deepcopy(samples))
    assert set(auxiliary) == {'loss', 'forward'}
    assert after == ['loss']


def test_two_passes_of_the_teacher_are_equal(build, scene):
    """Its head has dropout, which is off."""
    model = build(_distiller())
    model.train()
    assert model.teacher.module.decode_head.dropout.p == 0.1
    one, two = (model.teacher.extract(scene[0]) for _ in range(2))
    assert set(one) == {'backbone.layer4', LOGITS}
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_the_pass_ends_at_the_logits(build, scene):
    """Nothing runs after `conv_seg`, such as the resize to the image."""
    model = build(_distiller())
    teacher, ran = model.teacher.module, []
    for name, module in teacher.named_modules():
        module.register_forward_hook(lambda *_, n=name: ran.append(n))
    model.teacher.extract(scene[0])
    # The enclosing modules never return: the pass was cut inside them.
    assert ran[-1] == LOGITS
    assert 'decode_head' not in ran


def test_other_classes_of_the_teacher(build, scene):
    """Legal without the logit term, a clear error with it."""
    model = build(_distiller(logits=False, teacher_classes=5))
    losses = model(*scene, mode='loss')
    assert losses['loss_mgd'] > 0
    with pytest.raises(ValueError, match='19 channels.*5.*same classes'):
        build(_distiller(teacher_classes=5))


def test_another_stride_of_the_teacher_is_an_error(build):
    cfg = _distiller(logits=False)
    backbone = cfg['teacher']['config']['model'].backbone
    backbone.update(strides=(1, 2, 2, 1), dilations=(1, 1, 1, 2))
    with pytest.raises(ValueError, match=r'loss_mgd.*12, 12.*6, 6.*resize='):
        build(cfg)


def test_a_map_that_differs_by_a_pixel_is_an_error(build):
    """Equal at the dry pass's 128 pixels, not at a crop of 98."""
    cfg = _distiller(logits=False)
    backbone = cfg['teacher']['config']['model'].backbone
    backbone.type = 'ResNet'  # its stem is one convolution
    model = build(cfg)
    stem = model.teacher.module.backbone.conv1
    stem.padding = (2, 2)  # the pooling after it hides this at 128
    images = torch.zeros(2, 3, 98, 98)
    s = model.student.backbone(images)[-1].shape
    t = model.teacher.module.backbone(images)[-1].shape
    assert s[2:] != t[2:]
    samples = [
        SegDataSample(gt_sem_seg=PixelData(data=torch.zeros(1, 98, 98).long()))
        for _ in range(2)
    ]
    with pytest.raises(ValueError, match='same height and width'):
        model(images, samples, mode='loss')


def test_sync_bn_runs_as_bn_where_alone(build, scene, caplog):
    cfg = _distiller()
    assert cfg['student'].backbone.norm_cfg.type == 'SyncBN'
    with caplog.at_level(logging.INFO, 'current'):
        model = build(cfg)
    norms = [
        m for m in model.student.modules()
        if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)
    ]  # fmt: skip
    assert len(norms) > 20
    assert not any(isinstance(m, torch.nn.SyncBatchNorm) for m in norms)
    stock = MODELS.build(cfg['student'])
    assert isinstance(stock, EncoderDecoder)
    stock.load_state_dict(model.student.state_dict(), strict=True)
    assert isinstance(stock.backbone.stem[1], torch.nn.SyncBatchNorm)
    # The same numbers, statistics included.
    images, samples = scene
    for one in (model.student, stock):
        one.train()
        torch.manual_seed(5)
        one.result = one.loss(images, copy.deepcopy(samples))
    assert torch.equal(
        stock.result['decode.loss_ce'], model.student.result['decode.loss_ce']
    )
    for a, b in zip(stock.buffers(), model.student.buffers(), strict=True):
        assert torch.equal(a, b)
