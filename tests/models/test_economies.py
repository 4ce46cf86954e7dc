"""`sample` and `every`: less work, the same loss and gradient in the mean."""

import pytest
import torch

from mmmgd.functional import mgd_loss
from mmmgd.models import MGDConnector

WIDTH = 6
FEATURE = torch.randn(
    2, 4, 5, 6, generator=torch.Generator().manual_seed(0)
).double()
TEACHER = torch.randn(
    2, WIDTH, 5, 6, generator=torch.Generator().manual_seed(1)
).double()
KEEP = (
    torch.rand(2, 1, 5, 6, generator=torch.Generator().manual_seed(2)) > 0.5
).double()
KINDS = [
    dict(),
    dict(cheap=True),
    dict(generators=2),
    dict(generator='projector'),
    dict(mask_before_align=True),
    dict(mask_token=True),
]


def _connector(**changes):
    torch.manual_seed(0)
    return MGDConnector(0.5, 'spatial', 4, WIDTH, **changes).double()


def _loss_and_gradients(connector, channels):
    feature = FEATURE.clone().requires_grad_()
    target, scale = TEACHER, 1.0
    if channels is not None:
        target, scale = TEACHER[:, channels], WIDTH / len(channels)
    loss = scale * mgd_loss(connector(feature, KEEP, channels), target)
    wanted = [feature, *connector.parameters()]
    grads = torch.autograd.grad(loss, wanted)
    return [loss.detach(), *grads]


@pytest.mark.parametrize('kind', KINDS, ids=str)
def test_the_mean_over_all_samples_is_the_whole(kind):
    connector = _connector(**kind)
    whole = _loss_and_gradients(connector, None)
    every = [
        _loss_and_gradients(connector, torch.tensor([c])) for c in range(WIDTH)
    ]
    assert len({float(one[0]) for one in every}) == WIDTH
    for i, expected in enumerate(whole):
        mean = sum(one[i] for one in every) / WIDTH
        torch.testing.assert_close(mean, expected, rtol=1e-11, atol=1e-11)


def test_each_channel_is_drawn_as_often():
    connector = _connector(sample=1 / 3)
    counts, draws = torch.zeros(WIDTH), 3000
    for _ in range(draws):
        channels = connector.draw_channels(FEATURE)
        assert len(channels.unique()) == 2
        counts[channels] += 1
    # a binomial of mean n/3 and deviation sqrt(n · 1/3 · 2/3)
    assert (counts - draws / 3).abs().max() < 5 * (draws * 2 / 9) ** 0.5


def test_all_are_taken_without_drawing():
    connector = _connector()
    assert connector.draw_channels(FEATURE) is None
    assert connector.mask_stream.state_dict()['draws'] == 0


def test_the_model_takes_the_same_channels_of_both_sides(
    build, distiller_cfg, batch
):
    """With λ = 0 only the channels vary: the mean is the whole."""
    losses = {}
    for sample in (1.0, 0.25):
        cfg = distiller_cfg()
        connector = cfg['distill']['loss_mgd']['connector']
        connector.update(mask_ratio=0.0, sample=sample)
        model = build(cfg).double().eval()
        images = batch[0].double()
        losses[sample] = [
            model(images, batch[1], mode='loss')['loss_mgd'].item()
            for _ in range(1 if sample == 1 else 400)
        ]
    (whole,), parts = losses[1.0], torch.tensor(losses[0.25])
    assert parts.std() > 0
    error = parts.std().item() / len(parts) ** 0.5
    assert parts.mean().item() == pytest.approx(whole, abs=5 * error)


@pytest.mark.parametrize('sample', [0, 1.5, '1', None])
def test_a_bad_share_is_refused(sample):
    with pytest.raises(ValueError, match='Expected `sample`'):
        _connector(sample=sample)


@pytest.mark.parametrize(
    ('dim', 'loss'),
    [
        ('spatial', dict(type='mmmgd.PKDLoss', loss_weight=1)),
        (
            'channel',
            dict(type='mmmgd.MGDLoss', loss_weight=1, hidden_only=True),
        ),
    ],
)
def test_a_loss_that_is_no_sum_over_channels_is_refused(
    build, distiller_cfg, dim, loss
):
    cfg = distiller_cfg()
    entry = cfg['distill']['loss_mgd']
    entry['connector'].update(sample=0.5, mask_dim=dim)
    entry['loss'] = loss
    with pytest.raises(ValueError, match='loss_mgd has sample=0.5'):
        build(cfg)


def test_auto_weighs_a_sum_by_its_positions(build, distiller_cfg, batch):
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd']['loss']['loss_weight'] = 'auto'
    cfg['distill']['loss_mgd']['connector']['mask_ratio'] = 0.0
    model = build(cfg).train()
    term = model.terms['loss_mgd']
    weights = []
    for size in (32, 64):
        images = torch.ones(4, 3, size, size)
        model(images, batch[1], mode='loss')
        weights.append(term.auto.weight(term.positions))
        term.auto.seen = term.auto.steps  # frozen from here on
    assert weights[0] == pytest.approx(4 * weights[1])
