"""Each of our losses and connectors in MMRazor's ConfigurableDistiller."""

import mmrazor.models  # noqa: F401  (registers)
import pytest
import torch
from mmengine.model import BaseModel
from mmrazor.registry import MODELS
from torch import nn

from mmmgd import functional

NKD = dict(gamma=1.5, tau=2.0)
DIST = dict(beta=2.0, gamma=0.5, tau=2.0)
# arguments of the loss, where it looks, the equation
LOSSES = {
    'MGDLoss': ({}, 'conv', functional.mgd_loss),
    'PKDLoss': ({}, 'conv', functional.pkd_loss),
    'CosineLoss': ({}, 'conv', functional.cosine_loss),
    'ChannelWiseDivergence': (
        dict(tau=4), 'conv',
        lambda s, t: functional.channel_wise_divergence(s, t, 4)),
    'KLDivergence': (
        dict(tau=2, standardize=True), 'fc',
        lambda s, t: functional.kl_divergence(s, t, 2, True)),
    'DISTLoss': (DIST, 'fc', lambda s, t: functional.dist_loss(s, t, **DIST)),
    'NKDLoss': (
        NKD, 'fc', lambda s, t: functional.nkd_loss(s, t, LABELS, **NKD)),
    'WSLD': (
        dict(tau=2), 'fc',
        lambda s, t: functional.weighted_soft_label(s, t, LABELS, 2)),
}  # fmt: skip
LABELS = torch.tensor([2, 0, 1])
IMAGES = torch.randn(3, 3, 6, 6, generator=torch.Generator().manual_seed(0))


@MODELS.register_module()
class ToyClassifier(BaseModel):
    """1x1 convolution, pooling, logits; the labels pass through a module."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.fc = nn.Linear(4, 5)
        self.labels = nn.Identity()

    def forward(self, inputs, data_samples=None, mode='tensor'):
        logits = self.fc(self.conv(inputs).mean((2, 3)))
        self.labels(LABELS)
        return dict(loss=logits.sum()) if mode == 'loss' else logits


def _step(loss, source, connector=None):
    torch.manual_seed(0)
    recorders = {
        name: dict(type='ModuleOutputs', source=name)
        for name in ('conv', 'fc', 'labels')
    }
    student = dict(recorder=source, from_student=True)
    mapping = dict(preds_S=student)
    mapping['preds_T'] = dict(recorder=source, from_student=False)
    if connector:
        student['connector'] = 'connector'
    if loss['type'] in ('mmmgd.NKDLoss', 'mmmgd.WSLD'):
        mapping['gt_labels'] = dict(recorder='labels', from_student=True)
    toy = dict(type='ToyClassifier')
    model = MODELS.build(
        dict(
            type='SingleTeacherDistill',
            architecture=toy,
            teacher=toy,
            distiller=dict(
                type='ConfigurableDistiller',
                student_recorders=recorders,
                teacher_recorders=recorders,
                connectors=dict(connector=connector) if connector else None,
                distill_losses=dict(loss_ours=loss),
                loss_forward_mappings=dict(loss_ours=mapping),
            ),
        )
    )
    model.train()
    return model, lambda: model(IMAGES, mode='loss')['distill.loss_ours']


@pytest.mark.parametrize('name', LOSSES)
def test_losses(name):
    numbers, source, equation = LOSSES[name]
    loss = dict(type=f'mmmgd.{name}', loss_weight=3.0, **numbers)
    model, step = _step(loss, source)
    sides = []
    for side in (model.student, model.teacher):
        maps = side.conv(IMAGES)
        sides.append(maps if source == 'conv' else side(IMAGES))
    value = step()
    torch.testing.assert_close(value, 3 * equation(*sides))
    value.backward()
    assert model.student.conv.weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    'variant',
    [
        dict(mask='fixed'),
        dict(mask_before_align=True, mask_dim='channel'),
        dict(mask_token=True, generator='bottleneck'),
        dict(generators=2),
    ],
    ids=str,
)
def test_connectors(variant):
    connector = dict(
        type='mmmgd.MGDConnector',
        mask_ratio=0.5,
        student_channels=4,
        teacher_channels=4,
        **variant,
    )
    loss = dict(type='mmmgd.MGDLoss', loss_weight=1.0)
    model, step = _step(loss, 'conv', connector)
    value = step()
    ours = model.distiller.connectors['connector']
    ours.mask_stream.draws = 0  # draw the same mask once more
    expected = functional.mgd_loss(
        ours(model.student.conv(IMAGES)), model.teacher.conv(IMAGES)
    )
    torch.testing.assert_close(value, expected)


def test_what_needs_both_sides_says_so():
    connector = dict(
        type='mmmgd.MGDConnector',
        mask_ratio=0.5,
        student_channels=4,
        teacher_channels=4,
        mask='attention',
    )
    loss = dict(type='mmmgd.MGDLoss', loss_weight=1.0)
    _, step = _step(loss, 'conv', connector)
    with pytest.raises(ValueError, match=r'MGDDistill.*\(MMRazor\)'):
        step()
    _, step = _step(dict(loss, hidden_only=True), 'conv')
    with pytest.raises(ValueError, match='needs the mask'):
        step()
