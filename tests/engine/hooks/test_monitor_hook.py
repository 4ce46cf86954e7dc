"""What a run writes about its distillation, read back from its files."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.registry import HOOKS

from mmmgd.engine.hooks.monitor_hook import MonitorHook, points_of
from mmmgd.report.gradients import compare_gradients

pytestmark = pytest.mark.usefixtures('quick_start')
ROOT = Path(__file__).parents[3]


@pytest.fixture
def cfg(runner_cfg, distiller_cfg):
    model = distiller_cfg()
    model['distill']['loss_mgd']['points'] = [
        'backbone.layer3',
        'backbone.layer4',
    ]
    model['distill']['loss_logits'] = dict(
        points='head.layers.1.fc',
        loss=dict(type='mmmgd.KLDivergence', tau=1, loss_weight=0.5),
    )
    cfg = runner_cfg(model, log_level='INFO')
    cfg.default_hooks.logger = dict(type='LoggerHook', interval=4)
    cfg.default_hooks.monitor = dict(
        type='mmmgd.MonitorHook', cosine_interval=6
    )
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    return cfg


def _scalars(folder):
    (file,) = folder.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    ours = [x for x in lines if any(k.startswith('distill/') for k in x)]
    return ours, [x for x in lines if 'loss_logits' in x]


def test_points_weights_times_and_cosines_at_each_log_interval(
    cfg, run, tmp_path
):
    runner = run(cfg)
    ours, logged = _scalars(tmp_path / 'work')
    assert [x['step'] for x in ours] == [4, 8, 12]
    names = {
        'distill/backbone.layer3',
        'distill/backbone.layer4',
        'distill/head.layers.1.fc',
        'distill_weight/loss_mgd',
        'distill_weight/loss_logits',
        'distill_multiplier/loss_mgd',
        'distill_multiplier/loss_logits',
        'distill_time/teacher',
        'distill_time/connectors',
    }
    cosines = {'distill_cosine/loss_mgd', 'distill_cosine/loss_logits'}
    assert set(ours[0]) == names | cosines | {'step'}  # of step 1
    assert set(ours[1]) == names | cosines | {'step'}  # of step 7
    assert set(ours[2]) == names | {'step'}
    for line in ours:
        assert line['distill_weight/loss_mgd'] == 1e-3
        assert line['distill_weight/loss_logits'] == 0.5
        both = (
            line['distill/backbone.layer3'] + line['distill/backbone.layer4']
        )
        assert line['distill_multiplier/loss_mgd'] == pytest.approx(1 / both)
        teacher = line['distill_time/teacher']
        connectors = line['distill_time/connectors']
        assert teacher > 0 and connectors > 0 and teacher + connectors < 1
        for name in cosines & set(line):
            assert -1 <= line[name] <= 1
    # The same ratio as of the losses in the log, of its last step.
    history = runner.message_hub.log_scalars
    last = {k: v.data[0][8:] for k, v in history.items() if 'loss' in k}
    ratio = last['train/loss_logits'].sum() / last['train/loss'].sum()
    assert ours[2]['distill/head.layers.1.fc'] == pytest.approx(
        ratio, rel=1e-5
    )
    assert logged[2]['distill_ratio'] == pytest.approx(
        sum(v for k, v in ours[2].items() if k.startswith('distill/'))
    )
    (log,) = tmp_path.glob('work/*/*.log')
    assert 'distill_ratio: ' in log.read_text()


def test_the_multiplier_is_in_the_log_after_the_first_ten_steps(
    cfg, run, tmp_path
):
    run(cfg)
    (log,) = tmp_path.glob('work/*/*.log')
    lines = log.read_text().splitlines()
    (warned,) = [i for i, x in enumerate(lines) if 'distill.loss_mgd is' in x]
    (first,) = [i for i, x in enumerate(lines) if '[ 4/12]' in x]
    (last,) = [i for i, x in enumerate(lines) if '[12/12]' in x]
    assert first < warned < last
    assert 'multiply its loss_weight by about' in lines[warned]
    assert 'mean of the first 10 steps' in log.read_text()


def test_training_is_the_same_bit_by_bit_with_and_without(cfg, run, tmp_path):
    runs = []
    for name, interval in (('with', 3), ('without', 0)):
        cfg.default_hooks.monitor.cosine_interval = interval
        cfg.default_hooks.logger.interval = 4 if interval else 1000
        cfg.work_dir = str(tmp_path / name)
        runs.append(run(cfg).model.state_dict())
    assert all(torch.equal(runs[1][k], v) for k, v in runs[0].items())


def test_the_cosine_is_that_of_the_gradients(build, distiller_cfg, batch):
    """Against gradients that backward() leaves in the parameters."""
    model = build(distiller_cfg()).eval()
    losses = model(*batch, mode='loss')
    (found,) = compare_gradients(
        losses['loss'], [losses['loss_mgd']], model.student
    )
    grads = []
    for name in ('loss', 'loss_mgd'):
        model.zero_grad()
        losses[name].backward(retain_graph=True)
        grads.append(
            {k: p.grad for k, p in model.student.named_parameters()
             if p.grad is not None}
        )  # fmt: skip
    shared = grads[0].keys() & grads[1].keys()
    assert len(shared) == found.tensors
    one, two = (torch.cat([g[k].flatten() for k in shared]) for g in grads)
    cosine = torch.cosine_similarity(one, two, dim=0)
    assert found.cosine == pytest.approx(float(cosine), abs=1e-5)
    assert found.ratio == pytest.approx(float(two.norm() / one.norm()))


def test_names_that_every_backend_takes(build, distiller_cfg):
    cfg = distiller_cfg()
    term = cfg['distill']['loss_mgd']
    cfg['distill'] = dict(
        loss_mgd=dict(term, points='backbone[0]'),
        loss_again=dict(term, points='backbone[0]'),
    )
    assert points_of(build(cfg)) == {
        'loss_mgd': 'loss_mgd/backbone.0',
        'loss_again': 'loss_again/backbone.0',
    }


@pytest.mark.parametrize('wrong', [-1, 1.5, 'often', None])
def test_a_wrong_interval(wrong):
    with pytest.raises(ValueError, match='`cosine_interval`.*got'):
        HOOKS.build(dict(type='mmmgd.MonitorHook', cosine_interval=wrong))
    assert MonitorHook().cosine_interval == 0


def _backend(cfg, package, line):
    """Let a run write where a line of docs/calibration.md says."""
    pytest.importorskip(package)
    table = (ROOT / 'docs/calibration.md').read_text('utf-8')
    assert f'`{line}`' in table
    cfg.visualizer = dict(
        type='Visualizer',
        vis_backends=[dict(type='LocalVisBackend'), eval(line)],  # noqa: S307
    )
    return cfg


def test_tensorboard_gets_all_of_it(cfg, run, tmp_path):
    line = "dict(type='TensorboardVisBackend')"
    run(_backend(cfg, 'tensorboard', line))
    from tensorboard.backend.event_processing import event_accumulator

    (folder,) = tmp_path.glob('work/*/vis_data')
    events = event_accumulator.EventAccumulator(str(folder))
    events.Reload()
    ours, _ = _scalars(tmp_path / 'work')
    for name in ours[1].keys() - {'step'}:
        found = {e.step: e.value for e in events.Scalars(name)}
        expected = {x['step']: x[name] for x in ours if name in x}
        assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_wandb_without_an_account(cfg, run, tmp_path):
    line = "dict(type='WandbVisBackend', init_kwargs=dict(mode='offline'))"
    run(_backend(cfg, 'wandb', line))
    assert list(tmp_path.rglob('*.wandb'))


@pytest.mark.slow
def test_mlflow_in_the_work_dir(cfg, run, tmp_path, monkeypatch):
    monkeypatch.setenv('MLFLOW_ALLOW_FILE_STORE', 'true')
    run(_backend(cfg, 'mlflow', "dict(type='MLflowVisBackend')"))
    (file,) = tmp_path.rglob('metrics/distill/backbone.layer4')
    assert len(file.read_text().splitlines()) == 3
