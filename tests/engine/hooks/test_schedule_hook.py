"""Losses that end: the rest of the run is the plain student's."""

import pytest
import torch
from mmengine.hooks import Hook

from mmmgd.models.schedule import Schedule


@pytest.mark.parametrize(
    ('until', 'decay_from', 'expected'),
    [
        (None, None, [1, 1, 1, 1]),
        (2, None, [1, 1, 0, 0]),
        (3, 1, [1, 1, 0.5, 0]),
        (3, 0, [1, 2 / 3, 1 / 3, 0]),
    ],
)
def test_factor_at_0_1_2_3(until, decay_from, expected):
    schedule = Schedule('loss', until, decay_from)
    assert [schedule.factor(x) for x in range(4)] == expected


@pytest.mark.parametrize(
    ('until', 'decay_from', 'message'),
    [
        (0, None, 'until > 0'),
        (-1, None, 'until > 0'),
        (2, 3, 'decay_from <= until'),
        ('2', None, "number of epochs .* but got '2'"),
        (True, None, 'number of epochs'),
        (None, 2, 'no `until`'),
    ],
)
def test_bad_schedules_are_refused(until, decay_from, message):
    with pytest.raises(ValueError, match=message):
        Schedule('loss_mgd', until, decay_from)


def _logged(runner, name):
    values, _ = runner.message_hub.get_scalar(f'train/{name}').data
    return values


def test_a_loss_ends_and_its_teacher_is_freed(run, runner_cfg, distiller_cfg):
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd'].update(until=2, decay_from=1)
    runner = run(runner_cfg(cfg, epochs=3))
    losses = _logged(runner, 'loss_mgd')
    assert len(losses) == 36
    assert (losses[:24] > 0).all() and (losses[24:] == 0).all()
    assert not hasattr(runner.model.teacher, 'module')
    stream = runner.model.terms['loss_mgd'].connectors[0].mask_stream
    assert stream.draws == 24


def test_connectors_rest_after_the_end_and_glide_between(
    run, runner_cfg, distiller_cfg
):
    """Momentum moves them in each step until their loss has ended."""
    for schedule, moves in ((dict(until=1), 12), (dict(every=4), 24)):
        cfg = distiller_cfg()
        cfg['distill']['loss_mgd'].update(schedule)
        cfg = runner_cfg(cfg, epochs=2)
        cfg.optim_wrapper.optimizer.update(momentum=0.9, weight_decay=0.1)
        cfg.custom_hooks = [dict(type=_Follow)]
        runner = run(cfg)
        (hook,) = (h for h in runner.hooks if isinstance(h, _Follow))
        steps = torch.stack(hook.seen).diff(dim=0).abs().amax(1)
        assert (steps > 0).sum() == moves


class _Follow(Hook):
    """Keeps the generator's first bias after each step."""

    def before_train(self, runner):
        self.connector = runner.model.terms['loss_mgd'].connectors[0]
        self.seen = []
        self.after_train_iter(runner, 0)

    def after_train_iter(self, runner, batch_idx, *args, **kwargs):
        bias = self.connector.generation[0].bias
        self.seen.append(bias.detach().clone())


def test_the_weight_falls_along_a_line(run, runner_cfg, distiller_cfg):
    """With lr = 0 and all visible, only weight and image order vary."""
    runs = []
    for schedule in ({}, dict(until=2, decay_from=1)):
        cfg = distiller_cfg()
        cfg['distill']['loss_mgd'].update(schedule)
        cfg['distill']['loss_mgd']['connector']['mask_ratio'] = 0.0
        cfg = runner_cfg(cfg, epochs=2)
        cfg.optim_wrapper.optimizer.lr = 0.0
        runs.append(torch.as_tensor(_logged(run(cfg), 'loss_mgd')))
    expected = torch.cat([torch.ones(12), 1 - torch.arange(12) / 12])
    torch.testing.assert_close(
        (runs[1] / runs[0]).float(), expected, rtol=1e-5, atol=0
    )


def test_the_loss_of_a_student_alone_is_unchanged(
    run, runner_cfg, distiller_cfg, classifier_cfg
):
    """Ended after one step without weight: the plain run, bit by bit."""
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd'].update(until=1e-6)
    cfg['distill']['loss_mgd']['loss']['loss_weight'] = 0.0
    ended = run(runner_cfg(cfg)).model.student.state_dict()
    plain = run(runner_cfg(classifier_cfg())).model.state_dict()
    assert ended.keys() == plain.keys()
    assert all(torch.equal(ended[k], v) for k, v in plain.items())


def test_an_end_after_the_training_is_refused(run, runner_cfg, distiller_cfg):
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd'].update(until=3)
    with pytest.raises(ValueError, match='until=3.*ends after 2 epochs'):
        run(runner_cfg(cfg, epochs=2))


def test_a_run_resumes_after_the_end(run, runner_cfg, distiller_cfg):
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd'].update(until=1)
    run(runner_cfg(cfg, epochs=1))
    runner = run(runner_cfg(cfg, epochs=2), resume=True)
    assert (_logged(runner, 'loss_mgd')[12:] == 0).all()
    assert not hasattr(runner.model.teacher, 'module')


def test_every_second_step_counts_twice():
    schedule = Schedule('loss', until=3, every=2)
    factors = [schedule.factor(x, step=x) for x in range(4)]
    assert factors == [2, 0, 2, 0]
    assert [schedule.mean(x) for x in range(4)] == [1, 1, 1, 0]


@pytest.mark.parametrize('every', [0, 1.5, '2', None])
def test_a_bad_every_is_refused(every):
    with pytest.raises(ValueError, match='Expected `every` of'):
        Schedule('loss_mgd', every=every)


def test_a_resting_loss_asks_neither_teacher_nor_connector(
    run, runner_cfg, distiller_cfg
):
    """With lr = 0 and all visible, only the weight varies between the runs."""
    runs = []
    for every in (1, 2):
        cfg = distiller_cfg()
        cfg['distill']['loss_mgd'].update(every=every)
        cfg['distill']['loss_mgd']['connector']['mask_ratio'] = 0.0
        cfg = runner_cfg(cfg)
        cfg.optim_wrapper.optimizer.lr = 0.0
        runner = run(cfg)
        assert runner.model.teacher.loaded
        runs.append(torch.as_tensor(_logged(runner, 'loss_mgd')))
        stream = runner.model.terms['loss_mgd'].connectors[0].mask_stream
        assert stream.draws == 12 / every
    expected = torch.tensor([2.0, 0.0]).repeat(6)
    torch.testing.assert_close(
        (runs[1] / runs[0]).float(), expected, rtol=1e-5, atol=0
    )
