"""What differs from the run that is resumed is said, refused, or followed."""

import os
import shutil
import signal

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS

from mmmgd.checkpoints.reading import CheckpointError, read_file

pytestmark = pytest.mark.usefixtures('quick_start')


@HOOKS.register_module(force=True)
class StopsAt(Hook):
    """Sends SIGTERM to the run itself."""

    def __init__(self, iters):
        self.iters = iters

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.iters:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def cfg_of(runner_cfg, distiller_cfg, classifier_cfg, tmp_path):
    """A factory of configs with a teacher from a file."""

    def _cfg(epochs=1, changes=None, **other):
        path = tmp_path / 'teacher.pth'
        if not path.is_file():
            torch.manual_seed(0)
            model = MODELS.build(classifier_cfg(width=6))
            torch.save(model.state_dict(), path)
        cfg = runner_cfg(distiller_cfg(), epochs=epochs, **other)
        cfg.model.teacher.checkpoint = str(path)
        cfg.train_dataloader.batch_size = 12  # four steps an epoch
        cfg.merge_from_dict(changes or {})
        return Config(cfg.to_dict(), format_python_code=False)

    return _cfg


def _log(folder):
    log = max(folder.glob('*/*.log'), key=os.path.getmtime).read_text()
    return log


def _spoil(path):
    state = torch.load(path)
    state['backbone.conv1.weight'] += 1
    torch.save(state, path)


def test_the_file_of_the_teacher_may_move_but_not_change(
    run, cfg_of, tmp_path
):
    run(cfg_of())
    shutil.move(tmp_path / 'teacher.pth', tmp_path / 'moved.pth')
    moved = {'model.teacher.checkpoint': str(tmp_path / 'moved.pth')}
    run(cfg_of(2, moved), resume=True)
    assert 'changed since' not in _log(tmp_path / 'work')

    _spoil(tmp_path / 'moved.pth')
    with pytest.raises(CheckpointError, match='another teacher. SHA-256 of'):
        run(cfg_of(3, moved), resume=True)
    assert not (tmp_path / 'work' / 'epoch_3.pth').exists()
    cfg = cfg_of(3, moved)
    cfg.default_hooks.again = dict(type='mmmgd.ResumeHook', allow_changes=True)
    assert run(cfg, resume=True).iter == 12
    log = _log(tmp_path / 'work')
    assert log.index('changed since') < log.index('SHA-256 of the teacher')


TERM = 'model.distill.loss_mgd'


@pytest.mark.parametrize(
    ('key', 'value', 'line'),
    [
        (f'{TERM}.loss.loss_weight', 1e-4,
         'distill.loss_mgd.loss.loss_weight: 0.001 -> 0.0001\n'),
        (f'{TERM}.connector.mask_ratio', 0.5,
         'distill.loss_mgd.connector.mask_ratio: 0.15 -> 0.5\n'),
        (f'{TERM}.points', 'backbone.layer4.1',  # of the same shape
         "distill.loss_mgd.points: 'backbone.layer4' -> 'backbone.layer4.1'"),
        (f'{TERM}.until', 7, 'distill.loss_mgd.until: None -> 7\n'),
        ('optim_wrapper.optimizer.lr', 0.2,
         'optim_wrapper.optimizer.lr: 0.05 -> 0.2 (the optimizer goes on w'),
        ('optim_wrapper.clip_grad', dict(max_norm=3),
         'optim_wrapper.clip_grad.max_norm: None -> 3\n'),
    ],
)  # fmt: skip
def test_other_changes_are_listed_before_the_first_step(
    run, cfg_of, tmp_path, key, value, line
):
    logger = {'default_hooks.logger': dict(type='LoggerHook', interval=1)}
    run(cfg_of())
    epochs = 8 if key.endswith('until') else 2
    cfg = cfg_of(epochs, {key: value, **logger}, log_level='INFO')
    if epochs == 8:
        cfg.train_cfg.max_epochs = 7
    runner = run(cfg, resume=True)
    log = _log(tmp_path / 'work')
    assert log.count('changed since the checkpoint') == 1
    assert line in log
    assert log.index(line) < log.index('Epoch(train)')
    assert runner.optim_wrapper.get_lr()['lr'] == [0.05]


def test_another_optimizer_cannot_be_resumed(run, cfg_of):
    run(cfg_of())
    cfg = cfg_of(2)
    cfg.optim_wrapper.optimizer = dict(type='AdamW', lr=0.05)
    with pytest.raises(CheckpointError, match="'SGD' -> 'AdamW'.*load_from"):
        run(cfg, resume=True)
    cfg = cfg_of(2)
    cfg.optim_wrapper.paramwise_cfg = dict(bias_lr_mult=2.0)
    with pytest.raises(CheckpointError, match=r'groups of \[.*load_from'):
        run(cfg, resume=True)


def test_a_file_of_an_earlier_version_resumes(run, cfg_of, tmp_path):
    run(cfg_of())
    path = tmp_path / 'work' / 'epoch_1.pth'
    file = read_file(str(path))
    assert len(file['mmmgd'].pop('origin')) > 5
    torch.save(file, path)
    assert run(cfg_of(2), resume=True).iter == 8


SCHEDULES = {
    'poly': [dict(type='PolyLR', eta_min=1e-4, power=0.9)],
    'warm-up and steps': [
        dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=6),
        dict(type='MultiStepLR', milestones=[1, 3], gamma=0.5),
    ],
    'by iteration': [
        dict(type='CosineAnnealingLR', T_max=20, by_epoch=True, end=20,
             convert_to_iter_based=True)
    ],
}  # fmt: skip
SHORTER = {
    'poly': {},  # its end is that of the training
    'warm-up and steps': {1: dict(milestones=[1], gamma=0.1)},
    'by iteration': {0: dict(T_max=2, end=2)},
}


def _rates(runner):
    return runner.message_hub.get_scalar('train/lr').data[0].tolist()


@pytest.mark.parametrize('name', SCHEDULES)
@pytest.mark.parametrize('signal_at', [None, 6])
def test_a_longer_training_has_the_rates_of_an_unbroken_one(
    run, cfg_of, tmp_path, name, signal_at
):
    """From the end of the second epoch, or from the middle of it."""
    long = SCHEDULES[name]
    whole = run(
        cfg_of(4, param_scheduler=long, work_dir=str(tmp_path / 'whole'))
    )
    short = [{**cfg, **SHORTER[name].get(i, {})} for i, cfg in enumerate(long)]
    cfg = cfg_of(2, param_scheduler=short)
    if signal_at:
        cfg.custom_hooks = [dict(type='StopsAt', iters=signal_at)]
        with pytest.raises(SystemExit):
            run(cfg)
    else:
        run(cfg)
    parts = run(cfg_of(4, param_scheduler=long), resume=True)
    done = signal_at or 8
    assert _rates(parts)[done:] == _rates(whole)[done:]
    assert len(set(_rates(whole)[done:])) > 1
    log = _log(tmp_path / 'work')
    assert 'the schedule has changed' in log and 'unbroken run' in log


def test_a_schedule_that_follows_a_metric_goes_on_as_it_was(
    run, cfg_of, tmp_path
):
    plateau = dict(
        type='ReduceOnPlateauLR', monitor='accuracy/top1', rule='greater'
    )
    run(cfg_of(1, param_scheduler=dict(plateau, patience=1)))
    runner = run(
        cfg_of(2, param_scheduler=dict(plateau, patience=3)), resume=True
    )
    assert runner.iter == 8
    log = _log(tmp_path / 'work')
    assert 'param_scheduler[0].patience: 1 -> 3' in log
    assert 'goes on as it was' in log


def test_an_unchanged_schedule_is_not_mentioned(run, cfg_of, tmp_path):
    schedule = dict(type='StepLR', step_size=1, end=9)
    run(cfg_of(1, param_scheduler=schedule))
    run(cfg_of(2, param_scheduler=schedule), resume=True)
    assert 'schedule has changed' not in _log(tmp_path / 'work')
