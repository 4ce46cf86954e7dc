import json
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

import mmmgd
from mmmgd import functional

GOLDEN = json.loads(
    (Path(__file__).parents[1] / 'data' / 'logit.json').read_text()
)
TYPES = {
    'WSLD': 'mmmgd.WSLD',
    'KLDivergence batchmean': 'mmmgd.KLDivergence',
    'channel-wise divergence': 'mmmgd.ChannelWiseDivergence',
}


@pytest.mark.parametrize('case', GOLDEN, ids=lambda c: c['name'])
def test_modules_carry_weight_and_temperature(case):
    module = MODELS.build(
        dict(
            type=TYPES[case['name']],
            tau=case['tau'],
            loss_weight=case['loss_weight'],
        )
    )
    student, teacher = (
        torch.tensor(case[k], dtype=torch.float64).reshape(case['shape'])
        for k in ('student', 'teacher')
    )
    kwargs = dict(preds_S=student, preds_T=teacher)  # MMRazor's names
    if case['name'] == 'WSLD':
        kwargs['gt_labels'] = torch.tensor(case['labels'])
    assert module(**kwargs).item() == pytest.approx(case['loss'], abs=1e-9)


def test_mgd_loss_takes_mmrazors_names_and_its_weight():
    loss = MODELS.build(dict(type='mmmgd.MGDLoss', loss_weight=0.5))
    value = loss(
        preds_S=torch.ones(2, 1, 2, 2), preds_T=torch.zeros(2, 1, 2, 2)
    )
    assert value == 2.0


S, T = torch.randn(
    2, 4, 6, 3, 3, generator=torch.Generator().manual_seed(0)
).double()
LABELS = torch.tensor([0, 5, 2, 1])
NUMBERS = dict(beta=2.0, gamma=0.5, tau=2.0)
NKD = dict(gamma=1.5, tau=2.0, standardize=True)
# arguments, what is compared, the equation
NEW = {
    'PKDLoss': ({}, (S, T), functional.pkd_loss),
    'CosineLoss': ({}, (S, T), functional.cosine_loss),
    'DISTLoss': (
        NUMBERS, (S, T), partial(functional.dist_loss, **NUMBERS)),
    'NKDLoss': (
        NKD, (S[..., 0, 0], T[..., 0, 0], LABELS),
        partial(functional.nkd_loss, **NKD)),
}  # fmt: skip
SCOPES = ['mmengine', 'mmdet', 'mmseg', 'mmpretrain', 'mmrazor']


@pytest.mark.parametrize('scope', SCOPES)
@pytest.mark.parametrize('name', NEW)
def test_each_builds_by_name_in_every_scope(name, scope):
    numbers, arguments, equation = NEW[name]
    if scope == 'mmrazor':  # as its configs write `custom_imports`
        import_module('mmmgd.compat')
    with DefaultScope.overwrite_default_scope(scope):
        loss = MODELS.build(
            dict(type=f'mmmgd.{name}', loss_weight=3.0, **numbers)
        )
    names = ['preds_S', 'preds_T', 'gt_labels'][: len(arguments)]
    value = loss(**dict(zip(names, arguments, strict=True)))
    torch.testing.assert_close(value, 3 * equation(*arguments))
    assert type(loss) is getattr(mmmgd, name)


@pytest.mark.parametrize('name', ['MGDLoss', *TYPES.values(), *NEW])
def test_a_tuned_weight_has_no_default(name):
    with pytest.raises(TypeError, match='loss_weight'):
        MODELS.build(dict(type=f'mmmgd.{name.rpartition(".")[2]}'))


@pytest.mark.parametrize('key', ['loss_weight', 'beta', 'gamma', 'tau'])
@pytest.mark.parametrize('value', [-1.0, float('nan'), float('inf'), '1'])
def test_numbers_that_would_train_nonsense_are_refused(key, value):
    cfg = dict(type='mmmgd.DISTLoss', loss_weight=1, **NUMBERS)
    with pytest.raises(ValueError, match=f'`{key}`.*but got'):
        MODELS.build({**cfg, key: value})
