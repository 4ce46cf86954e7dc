"""Masks of the teacher, and masks that a loss takes, inside of MGDDistill."""

import copy

import pytest
import torch

from mmmgd.functional import attention_mask, mgd_loss


def _capture(module, kwargs_too=True):
    seen = []
    module.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append((args, kwargs)), with_kwargs=True
    )
    return seen


def _distiller(cfg, build, loss=None, **variant):
    cfg = copy.deepcopy(cfg)
    entry = cfg['distill']['loss_mgd']
    entry['connector'].update(mask_ratio=0.5, mask_dim='spatial', **variant)
    entry['loss'].update(loss or {})
    return build(cfg)


def test_the_driver_hands_the_teachers_feature_to_the_mask(
    distiller_cfg, build, batch
):
    model = _distiller(distiller_cfg(), build, mask='attention')
    term = model.terms['loss_mgd']
    inputs, losses = _capture(term.connectors[0]), _capture(term.loss)
    model(*batch, mode='loss')
    ((student,), given), ((_, teacher), _) = inputs[0], losses[0]
    assert student.shape[1] == 32 and teacher.shape[1] == 48
    expected = attention_mask(teacher, 0.5, 'spatial')
    assert torch.equal(given['mask'], expected)
    assert 0 < expected.mean() < 1


def test_the_driver_hands_the_mask_to_the_loss(distiller_cfg, build, batch):
    model = _distiller(
        distiller_cfg(),
        build,
        dict(hidden_only=True),
        mask='fixed',
        mask_token=True,
    )
    seen = _capture(model.terms['loss_mgd'].loss)
    losses = model(*batch, mode='loss')
    ((generated, target), given) = seen[0]
    mask = given['mask']
    assert (mask == 0).flatten(1).sum(1).tolist() == [8] * 4  # of 4x4
    expected = 1e-3 * mgd_loss(generated, target, mask)
    torch.testing.assert_close(losses['loss_mgd'], expected)
    assert losses['loss_mgd'] != 1e-3 * mgd_loss(generated, target)
    losses['loss_mgd'].backward()
    assert all(p.grad is not None for p in model.terms.parameters())


def test_hidden_only_without_a_mask_is_refused(distiller_cfg, build, batch):
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd'] = dict(
        points='backbone.layer4',
        connector=dict(type='mmmgd.AlignConnector'),
        loss=dict(type='mmmgd.MGDLoss', loss_weight=1, hidden_only=True),
    )
    with pytest.raises(ValueError, match=r'needs the mask of an mmmgd\.MGD'):
        build(cfg)(*batch, mode='loss')
