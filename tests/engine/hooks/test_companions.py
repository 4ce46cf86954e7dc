"""Our hooks by name: each replaced, tuned, and put where it works."""

import signal

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner import Runner

from mmmgd import hooks
from mmmgd.engine.hooks.companions import COMPANIONS
from mmmgd.registry import HOOKS

pytestmark = pytest.mark.usefixtures('quick_start')

ADDED = ['DistillHook', *(kind.__name__ for kind in COMPANIONS)]


@pytest.fixture
def cfg(runner_cfg, distiller_cfg):
    return runner_cfg(distiller_cfg())


@pytest.fixture
def started(tmp_path):
    """A Runner whose hooks have been asked before its run."""

    def _start(cfg):
        cfg.experiment_name = tmp_path.name
        runner = Runner.from_cfg(cfg)
        runner.call_hook('before_run')
        return runner

    return _start


def _counts(runner):
    names = [type(hook).__name__ for hook in runner.hooks]
    return {name: names.count(name) for name in ADDED}


def test_each_has_a_name_in_our_registry():
    asked_for = {'ChannelsLastHook', 'FeatureVisHook'}
    assert set(ADDED) == {*hooks.__all__} - asked_for
    for name in hooks.__all__:
        assert HOOKS.get(f'mmmgd.{name}') is getattr(hooks, name)


def test_all_are_there_without_being_named(cfg, started):
    runner = started(cfg)
    assert set(_counts(runner).values()) == {1}
    runner.call_hook('before_run')  # as `Runner.test` does after `train`
    assert set(_counts(runner).values()) == {1}


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('DataHook', dict(classes=False, labels=False, files=False)),
        ('FiniteHook', dict(losses=False, weights=False)),
        ('InterruptHook', dict(filename='cut.pth', signals=['SIGTERM'])),
        ('PreflightHook', dict(report=False, steps=7, ratios=(0.5, 3.0))),
        ('ResumeHook', dict(validate=False)),
        ('RunStateHook', dict(workers=False)),
        ('ScheduleHook', dict(free_teacher=False)),
        ('WorkDirHook', dict(lock=False)),
    ],
)
def test_one_that_is_named_replaces_ours(cfg, started, name, arguments):
    cfg.default_hooks['mine'] = dict(type=f'mmmgd.{name}', **arguments)
    runner = started(cfg)
    assert set(_counts(runner).values()) == {1}
    (hook,) = (h for h in runner.hooks if type(h).__name__ == name)
    assert type(hook)(**arguments).__dict__ == hook.__dict__ != {}
    assert type(hook)().__dict__ != hook.__dict__


@pytest.mark.parametrize('name', ADDED)
def test_one_that_is_there_twice_is_refused(cfg, run, name, tmp_path):
    hook = dict(type=f'mmmgd.{name}')
    cfg.custom_hooks = [hook, hook]
    with pytest.raises(ValueError, match=f'mmmgd.{name} once.*has it [23] t'):
        run(cfg)
    assert not list(tmp_path.glob('work/*.pth'))


@pytest.mark.parametrize('priority', ['HIGHEST', 'VERY_LOW', 'LOWEST'])
def test_another_priority_of_distill_hook_gives_the_same_file(
    cfg, run, priority, tmp_path
):
    """Where nothing else rewrites the file."""
    cfg.default_hooks.distill.priority = priority
    runner = run(cfg)
    file = torch.load(tmp_path / 'work' / 'epoch_1.pth', weights_only=False)
    student = runner.model.student.state_dict()
    assert file['state_dict'].keys() == student.keys()
    others = {'mask_streams', 'auto_weights', 'origin', 'run'}
    assert file['mmmgd'].keys() == {'state_dict', *others}
    assert run(cfg, resume=True).iter == runner.iter


@pytest.mark.parametrize(
    ('hook', 'priority', 'message'),
    [
        ('Distill', 'HIGH', 'EMAHook to run before DistillHook.*NORMAL.*HIGH'),
        ('RunState', 'LOWEST', 'RunStateHook to run before CheckpointHook'),
        ('Finite', 'HIGHEST', 'RuntimeInfoHook to run before FiniteHook'),
        ('Finite', 'LOWEST', 'FiniteHook to run before CheckpointHook'),
    ],
)
def test_a_priority_that_cannot_work_is_refused(
    cfg, run, hook, priority, message, tmp_path
):
    """Before step 1, not at the first checkpoint."""
    cfg.custom_hooks = [dict(type='EMAHook')]
    key = hook.lower()
    cfg.default_hooks[key] = dict(type=f'mmmgd.{hook}Hook', priority=priority)
    with pytest.raises(ValueError, match=f'{message}.*Leave out `priority`'):
        run(cfg)
    assert not list(tmp_path.glob('work/*.pth'))


def test_a_signal_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="`signals`.*got 'SIGTREM'"):
        hooks.InterruptHook(signals=['SIGTREM'])
    assert hooks.InterruptHook(signals=[]).signals == []
    assert hooks.InterruptHook().signals == [signal.SIGINT, signal.SIGTERM]


def test_a_runner_that_broke_asks_nothing_of_later_models(cfg, run, batch):
    """Its message hub still says that it trains."""
    cfg.model.distill.loss_mgd.loss.loss_weight = float('inf')
    with pytest.raises((ValueError, FloatingPointError)):
        run(cfg)
    cfg.model.distill.loss_mgd.loss.loss_weight = 1.0
    model = MODELS.build(cfg.model)
    model.init_weights()
    assert model(*batch, mode='loss')['loss_mgd'] > 0


def test_a_second_start_without_the_hook_is_refused_too(cfg, tmp_path):
    del cfg.default_hooks.distill
    cfg.experiment_name = tmp_path.name
    runner = Runner.from_cfg(cfg)
    for _ in range(2):
        with pytest.raises(RuntimeError, match='no mmmgd.DistillHook ran'):
            runner.train()
