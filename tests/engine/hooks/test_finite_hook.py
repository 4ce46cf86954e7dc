"""The first value that is not a number stops a run and spoils no file."""

import re

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS

from mmmgd.functional import mgd_loss

POINTS = ['backbone.layer3', 'backbone.layer4']


@MODELS.register_module(force=True)
class FailingLoss(torch.nn.Module):
    """An MGD loss that is not finite in one step."""

    calls = 0

    def __init__(self, value, at):
        super().__init__()
        self.value, self.at = value, at

    def forward(self, preds_S, preds_T):
        self.calls += 1
        factor = self.value if self.calls == self.at else 1e-3
        return factor * mgd_loss(preds_S, preds_T)


@HOOKS.register_module(force=True)
class SpoilWeights(Hook):
    """What a finite loss with an infinite gradient does."""

    priority = 'VERY_HIGH'

    def __init__(self, last=False):
        self.last = last

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter == 6:
            weights = list(runner.model.student.parameters())
            weights[-1 if self.last else 0].data.view(-1)[0] = float('nan')


def _bytes(folder):
    return {
        path.name: path.read_bytes()
        for path in [*folder.glob('*.pth*'), folder / 'last_checkpoint']
    }


@pytest.fixture
def cfg(runner_cfg, distiller_cfg):
    model = distiller_cfg()
    term = model['distill']['loss_mgd']
    term['points'] = POINTS
    term['connector']['mask_ratio'] = 0.0
    cfg = runner_cfg(model, epochs=2)
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=3)
    return cfg


@pytest.mark.parametrize('value', [float('inf'), float('nan')])
def test_a_non_finite_term_is_named_and_nothing_written(
    run, cfg, tmp_path, value
):
    # Each step evaluates two points: the 18th is the second of step 9.
    cfg.model.distill.loss_mgd.loss = dict(
        type='FailingLoss', value=value, at=18
    )
    with pytest.raises(FloatingPointError) as error:
        run(cfg)
    message = str(error.value)
    assert f': loss_mgd.1 = {value} (student' in message
    assert f"'{POINTS[1]}'" in message and POINTS[0] not in message
    assert 'iteration 9 (epoch 1)' in message
    assert 'finite losses: 8.' in message
    assert 'lr 0.05' in message
    files = _bytes(tmp_path / 'work')
    assert {'iter_3.pth', 'iter_6.pth'} <= files.keys()
    assert 'iter_9.pth' not in files
    assert files['last_checkpoint'].endswith(b'iter_6.pth')


def test_weights_that_are_not_numbers_are_not_written(run, cfg, tmp_path):
    """Before the next loss shows it."""
    cfg.custom_hooks = [dict(type='SpoilWeights')]
    cfg.default_hooks.checkpoint.interval = 7
    cfg.default_hooks.checkpoint.filename_tmpl = 'same{}.pth'
    with pytest.raises(FloatingPointError, match='1 tensors.*iteration 7'):
        run(cfg)
    assert not list((tmp_path / 'work').glob('*.pth*'))


def test_the_students_own_loss_is_named_as_such(run, cfg):
    """A weight that becomes infinite after the points, in the head alone."""
    cfg.custom_hooks = [dict(type='SpoilWeights', last=True)]
    with pytest.raises(FloatingPointError) as error:
        run(cfg)
    assert "rank 0: loss = nan (the sum, or the student's own)" in str(
        error.value
    )
    assert 'loss_mgd' not in str(error.value)


@HOOKS.register_module(force=True)
class HugeTeacher(Hook):
    """What random weights come to, layer by layer, without trained norms."""

    def before_train(self, runner):
        runner.model.teacher.module.backbone.conv1.weight.mul_(1e20)


def test_a_teacher_whose_squared_features_overflow_is_named(run, cfg):
    cfg.custom_hooks = [dict(type='HugeTeacher')]
    with pytest.raises(FloatingPointError) as error:
        run(cfg)
    message = str(error.value)
    assert 'loss_mgd.1 = inf' in message
    found = re.search(
        "teacher's feature at 'backbone.layer3' reaches ([0-9.e+]+)", message
    )
    assert 1e17 < float(found[1]) < 1e25
    assert 'checkpoint=False' in message
    assert 'learning rate' not in message.partition('Learning rate')[2]


def test_half_precision_features_of_8192_on_a_large_map_stay_finite():
    """A sum of 15 million squares lies far beyond float16.

    Of powers of two: exact in float32, in any order.
    """
    shape = (1, 256, 200, 304)
    student = torch.full(shape, 2.0**13, dtype=torch.float16).requires_grad_()
    teacher = torch.zeros(shape, dtype=torch.float16)
    loss = 2.0**-16 * mgd_loss(student, teacher)
    assert loss.item() == 2**10 * 256 * 200 * 304
    loss.backward()
    assert student.grad.unique().tolist() == [2.0**-2]
