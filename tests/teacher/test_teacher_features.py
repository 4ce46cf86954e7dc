"""A teacher whose features teach nothing is named before the first step."""

import pytest
import torch
from mmengine.registry import MODELS
from torch.optim.optimizer import register_optimizer_step_post_hook

from mmmgd.teacher.features import check_features

MAP = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
CHANNELS = torch.arange(3.0).view(1, 3, 1, 1).expand(2, 3, 4, 4)


@pytest.mark.parametrize(
    ('feature', 'problem'),
    [
        (torch.zeros(2, 3, 4, 4), 'is constant'),
        (CHANNELS, 'is constant'),  # one number for each channel
        (torch.full((2, 10), 0.1), 'is constant'),
        (MAP.masked_fill(MAP > 2, torch.inf), 'is not finite'),
        (MAP.masked_fill(MAP > 2, torch.nan), 'is not finite'),
        (MAP * 1e6, r'has a root mean square of 1\.\d+e\+06'),
        (MAP * 1e30, 'has a root mean square of inf'),
        (MAP * 1e-7, r'has a root mean square of 1\.\d+e-07'),
    ],
)
def test_what_teaches_nothing_is_refused(feature, problem):
    with pytest.raises(ValueError, match=f"at 'x'.*{problem} on the first"):
        check_features({'x': feature}, 'a.py')


@pytest.mark.parametrize(
    'feature',
    [
        MAP,
        MAP.relu(),
        MAP.half() * 1e4,
        torch.zeros(1, 3, 1, 1) + 0.5,  # nothing to compare it with
        torch.eye(2, 10),
        torch.randn(0, 3, 4, 4),
    ],
)
def test_what_may_teach_is_not(feature):
    check_features({'x': feature}, 'a.py')


def _without_weights(state):
    return {k: torch.zeros_like(v) for k, v in state.items()}


def _with_huge_ones(state):
    key = 'backbone.layer4.1.bn2.weight'
    return {**state, key: state[key] * 1e9}


@pytest.mark.parametrize(
    ('spoil', 'problem'),
    [
        (_without_weights, 'is constant'),
        (_with_huge_ones, 'has a root mean square of'),
    ],
)
def test_no_step_is_taken_with_it(
    run, runner_cfg, distiller_cfg, classifier_cfg, tmp_path, spoil, problem
):
    steps = []
    handle = register_optimizer_step_post_hook(lambda *_: steps.append(1))
    state = MODELS.build(classifier_cfg(width=6)).state_dict()
    torch.save(spoil(state), tmp_path / 'teacher.pth')
    cfg = runner_cfg(distiller_cfg())
    cfg.model.teacher.checkpoint = str(tmp_path / 'teacher.pth')
    cfg.model.distill.loss_mgd.points = 'backbone.layer4.1.bn2'
    try:
        with pytest.raises(ValueError, match=f'layer4.1.bn2.*({problem})'):
            run(cfg)
    finally:
        handle.remove()
    assert not steps
