"""Masks, generators and tokens other than the paper's."""

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from mmmgd.functional import attention_mask
from mmmgd.models import AlignConnector, MGDConnector
from mmmgd.report.flops import connector_flops

FEATURE = torch.randn(
    2, 4, 5, 6, generator=torch.Generator().manual_seed(0)
).double()
TEACHER = torch.randn(
    2, 8, 5, 6, generator=torch.Generator().manual_seed(1)
).double()
SPATIAL = (torch.rand(2, 1, 5, 6) > 0.5).double()


def _connector(ratio=0.5, dim='spatial', widths=(4, 8), **variant):
    torch.manual_seed(0)
    return MGDConnector(ratio, dim, *widths, **variant).double()


def _equal(a, b):
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_the_defaults_are_the_papers():
    plain, written = (
        _connector(**variant)
        for variant in (
            {},
            dict(
                mask='random',
                mask_before_align=False,
                mask_token=False,
                generator='conv3x3x2',
                generators=1,
            ),
        )
    )
    assert plain.state_dict().keys() == {
        f'{name}.{kind}'
        for name in ('align', 'generation.0', 'generation.2')
        for kind in ('weight', 'bias')
    }
    _equal(plain(FEATURE), written(FEATURE))


@pytest.mark.parametrize('dim', ['spatial', 'channel'])
def test_a_mask_before_align_hides_what_the_student_has(dim):
    connector = _connector(dim=dim, mask_before_align=True)
    mask = connector.draw_mask(FEATURE)
    assert mask.shape == ((2, 1, 5, 6) if dim == 'spatial' else (2, 4, 1, 1))
    expected = connector.generation(connector.align(FEATURE * mask))
    _equal(connector(FEATURE, mask), expected)
    assert 0 < mask.mean() < 1


def test_a_channel_mask_after_a_wide_align_hides_nothing():
    """Why one may want it before: the visible channels span the student's."""
    align = _connector(widths=(2, 8)).align.weight.flatten(1)  # (8, 2)
    visible = align[torch.tensor([0, 3, 6])]
    assert torch.linalg.matrix_rank(visible) == 2


@pytest.mark.parametrize('before', [False, True])
def test_a_token_takes_the_place_of_what_is_hidden(before):
    connector = _connector(mask_token=True, mask_before_align=before)
    assert not connector.mask_token.any()
    # at zero it is the paper's mask
    without = _connector(mask_before_align=before)
    _equal(connector(FEATURE, SPATIAL), without(FEATURE, SPATIAL))

    with torch.no_grad():
        connector.mask_token.normal_()
    token = connector.mask_token

    def hide(x):
        return torch.where(SPATIAL > 0, x, token.expand_as(x))

    align = connector.align
    hidden = align(hide(FEATURE)) if before else hide(align(FEATURE))
    out = connector(FEATURE, SPATIAL)
    _equal(out, connector.generation(hidden))
    out.sum().backward()
    assert token.grad.abs().min() > 0
    assert token.shape == (1, 4 if before else 8, 1, 1)


@pytest.mark.parametrize(
    ('kind', 'weights', 'reach'),
    [
        ('conv3x3x2', 18 * 64, 2),
        ('conv1x1x2', 2 * 64, 0),
        ('linear', 64, 0),
        ('projector', 64, 0),
        ('bottleneck', 2 * 16 + 9 * 4, 1),
    ],
)
def test_generators_by_their_weights_and_their_reach(kind, weights, reach):
    connector = _connector(generator=kind, widths=(8, 8))
    parameters = dict(connector.generation.named_parameters())
    assert weights == sum(
        p.numel() for name, p in parameters.items() if 'weight' in name
    )
    feature = torch.randn(1, 8, 7, 7).double().requires_grad_()
    out = connector(feature, torch.ones(1, 1, 7, 7))
    assert out.shape == (1, 8, 7, 7)
    out[0, :, 3, 3].abs().sum().backward()
    reached = feature.grad.abs().sum(1)[0].nonzero()
    assert (reached - 3).abs().max() == reach


def test_two_generators_are_averaged():
    connector = _connector(generators=2)
    first, second = connector.generation
    masked = connector.align(FEATURE) * SPATIAL
    expected = (first(masked) + second(masked)) / 2
    _equal(connector(FEATURE, SPATIAL), expected)
    assert not torch.equal(first[0].weight, second[0].weight)
    assert 'generation.1.2.weight' in connector.state_dict()


def test_attention_masks_by_the_teacher_and_draws_nothing():
    connector = _connector(mask='attention', ratio=0.4)
    mask = connector.draw_mask(FEATURE.float(), TEACHER)
    assert mask.dtype == torch.float32
    assert torch.equal(mask, attention_mask(TEACHER, 0.4, 'spatial').float())
    assert connector.mask_stream.draws == 0
    with pytest.raises(ValueError, match=r"needs the teacher.*'fixed'"):
        connector(FEATURE)


def test_fixed_masks_come_from_the_stream():
    connector = _connector(mask='fixed', ratio=0.4)
    first, second = (connector.draw_mask(FEATURE) for _ in range(2))
    assert (first == 0).flatten(1).sum(1).tolist() == [12, 12]
    assert not torch.equal(first, second)
    connector.mask_stream.draws = 0
    assert torch.equal(connector.draw_mask(FEATURE), first)


@pytest.mark.parametrize(
    ('variant', 'message'),
    [
        (dict(mask='teacher'), "'random', 'fixed', 'attention'.*'teacher'"),
        (dict(generator='conv5x5'), "'conv3x3x2', .*'conv5x5'"),
        (dict(generators=0), 'from 1, but got 0'),
        (dict(generators=True), 'from 1, but got True'),
        (dict(mask_token=2), 'mask_token.*True, False.*2'),
        (
            dict(mask='attention', dim='channel', mask_before_align=True),
            "teacher's 8.*student's 4",
        ),
    ],
)
def test_what_is_out_of_range_is_refused(variant, message):
    with pytest.raises(ValueError, match=message):
        _connector(**variant)


@pytest.mark.parametrize(
    ('variant', 'each'),
    [
        (dict(mask='attention'), 4 * 8 + 18 * 64),
        (dict(mask_before_align=True), 4 * 8 + 18 * 64),
        (dict(generators=3), 4 * 8 + 3 * 18 * 64),
        (dict(mask_token=True, generator='linear'), 4 * 8 + 64),
    ],
)
def test_costs_by_hand(variant, each):
    connector = _connector(**variant).float()
    assert connector_flops(connector, (1, 4, 5, 6)) == 30 * each
    assert connector.mask_stream.draws == 0


def test_a_projector_where_the_widths_agree():
    connector = AlignConnector(4, 4, always=True, norm=True).double()
    out = connector(FEATURE)
    expected = nn.functional.batch_norm(
        connector.align(FEATURE), None, None, training=True
    )
    _equal(out, expected)
    assert AlignConnector(4, 4).state_dict() == {}
    assert connector_flops(connector.float(), (1, 4, 1, 1)) == 16


def test_gradients_reach_what_was_visible_alone():
    """Hidden positions of the student teach it nothing."""
    connector = _connector(generator='linear', widths=(4, 4))
    feature = FEATURE.clone().requires_grad_()
    MODELS.build(dict(type='mmmgd.MGDLoss', loss_weight=1.0))(
        connector(feature, SPATIAL), FEATURE
    ).backward()
    reached = feature.grad.abs().sum(1, keepdim=True) > 0
    assert torch.equal(reached, SPATIAL > 0)
