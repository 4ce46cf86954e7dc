import json
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS

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


@pytest.mark.parametrize('name', ['MGDLoss', *TYPES.values()])
def test_a_tuned_weight_has_no_default(name):
    with pytest.raises(TypeError, match='loss_weight'):
        MODELS.build(dict(type=f'mmmgd.{name.rpartition(".")[2]}'))
