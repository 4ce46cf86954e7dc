"""MMRazor's losses, connectors and the transform of CRD, by numbers."""

import pytest
import torch
from mmrazor import models  # noqa: F401  (fills the registries)
from mmrazor.registry import MODELS, TRANSFORMS
from torch import nn

from mmmgd import functional

S, T = torch.randn(2, 4, 6, 5, 5, generator=torch.Generator().manual_seed(0))
LOGITS = S.mean((2, 3)), T.mean((2, 3))
LABELS = torch.tensor([0, 5, 2, 1])
POSITIVE = ((S - T) ** 2 * ((S > T) | (T > 0))).sum() / 4 / 1000


def _attention(x):
    return nn.functional.normalize((x**2).mean(1).flatten(1))


@pytest.mark.parametrize(
    ('cfg', 'arguments', 'expected'),
    [
        (dict(type='MGDLoss', alpha_mgd=0.3), (S, T),
         0.3 * functional.mgd_loss(S, T)),
        (dict(type='ChannelWiseDivergence', tau=4, loss_weight=3), (S, T),
         3 * functional.channel_wise_divergence(S, T, 4)),
        (dict(type='KLDivergence', tau=2), LOGITS,
         functional.kl_divergence(*LOGITS, 2)),
        (dict(type='WSLD', tau=2, loss_weight=2.5, num_classes=6),
         (*LOGITS, LABELS),
         2.5 * functional.weighted_soft_label(*LOGITS, LABELS, 2)),
        (dict(type='L1Loss', loss_weight=2), (S, T), 2 * (S - T).abs().mean()),
        (dict(type='L2Loss', loss_weight=2, normalize=False), (S, T),
         2 * ((S - T) ** 2).sum() / 4),
        (dict(type='ATLoss'), (S, T),
         ((_attention(S) - _attention(T)) ** 2).mean()),
        (dict(type='OFDLoss'), (S, T), POSITIVE),
        (dict(type='KDSoftCELoss', tau=2), LOGITS,
         -4 * ((LOGITS[1] / 2).softmax(1)
               * (LOGITS[0] / 2).log_softmax(1)).sum(1).mean()),
        (dict(type='PKDLoss'), (2 * T + 7, T), torch.tensor(0.0)),
        # not so alike that its epsilon of 1e-8 counts
        (dict(type='DISTLoss'), (T[:, :, 0, 0], T[:, :, 0, 0]),
         torch.tensor(0.0)),
        (dict(type='FTLoss'), (3 * S, S), torch.tensor(0.0)),
        (dict(type='InformationEntropyLoss', gather=False), (LOGITS[0],),
         (LOGITS[0].softmax(1).mean(0)
          * LOGITS[0].softmax(1).mean(0).log10()).sum()),
    ],
    ids=lambda value: value['type'] if isinstance(value, dict) else '',
)  # fmt: skip
def test_losses(cfg, arguments, expected):
    loss = MODELS.build(cfg)(*arguments)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)


def _value_and_gradient(loss, student, *others):
    student = student.double().requires_grad_()
    value = loss(student, *(t.double() for t in others))
    return value, *torch.autograd.grad(value, student)


DIST = dict(tau=2, loss_weight=3)


@pytest.mark.parametrize(
    ('theirs', 'ours', 'arguments'),
    [
        (dict(type='PKDLoss', loss_weight=6),
         dict(type='mmmgd.PKDLoss', loss_weight=6), (S, T)),
        (dict(DIST, type='DISTLoss', inter_loss_weight=2,
              intra_loss_weight=0.5),
         dict(DIST, type='mmmgd.DISTLoss', beta=2, gamma=0.5), LOGITS),
        (dict(type='ChannelWiseDivergence', tau=4, loss_weight=3),
         dict(type='mmmgd.ChannelWiseDivergence', tau=4, loss_weight=3),
         (S, T)),
        (dict(type='KLDivergence', tau=2, loss_weight=3),
         dict(type='mmmgd.KLDivergence', tau=2, loss_weight=3), LOGITS),
        (dict(type='MGDLoss', alpha_mgd=0.3),
         dict(type='mmmgd.MGDLoss', loss_weight=0.3), (S, T)),
    ],
    ids=lambda value: value['type'] if isinstance(value, dict) else '',
)  # fmt: skip
def test_ours_are_mmrazors_in_value_and_gradient(theirs, ours, arguments):
    expected = _value_and_gradient(MODELS.build(theirs), *arguments)
    actual = _value_and_gradient(MODELS.build(ours), *arguments)
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)
    assert expected[1].abs().max() > 1e-3


def test_connectors():
    torch.manual_seed(0)
    build = MODELS.build
    pooled = build(
        dict(
            type='TorchNNConnector',
            module_name='AvgPool2d',
            module_args=dict(kernel_size=5),
        )
    )(S)
    torch.testing.assert_close(pooled[..., 0, 0], LOGITS[0])
    norm = dict(type='BN', affine=False, track_running_stats=False)
    normed = build(dict(type='NormConnector', in_channels=6, norm_cfg=norm))(S)
    torch.testing.assert_close(
        normed.var((0, 2, 3), correction=0), torch.ones(6), rtol=1e-3, atol=0
    )
    connector = build(
        dict(
            type='MGDConnector',
            student_channels=6,
            teacher_channels=4,
            lambda_mgd=0.65,
        )
    )
    torch.manual_seed(1)
    restored = connector(S)
    torch.manual_seed(1)
    keep = torch.rand(4, 1, 5, 5) <= 0.35
    expected = connector.generation(connector.align(S) * keep)
    torch.testing.assert_close(restored, expected)


def test_crd_packs_with_mmpretrain():
    import mmrazor.datasets  # noqa: F401
    import numpy as np
    from mmpretrain.structures import DataSample

    pack = TRANSFORMS.build(dict(type='PackCRDClsInputs'))
    packed = pack(
        dict(
            img=np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
            gt_label=3,
            sample_idx=7,
            contrast_sample_idxs=np.array([1, 2]),
        )
    )
    assert torch.equal(packed['inputs'][1], torch.tensor([[1, 4], [7, 10]]))
    sample = packed['data_samples']
    assert isinstance(sample, DataSample)
    assert sample.gt_label.tolist() == [3] and sample.sample_idx == 7
    assert sample.contrast_sample_idxs.tolist() == [1, 2]
