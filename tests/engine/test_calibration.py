"""Measuring weights on real batches, and what a run makes of 'auto'."""

import re

import pytest
import torch

from mmmgd.__main__ import main
from mmmgd.engine.calibration import calibrate, without_weights

pytestmark = pytest.mark.usefixtures('quick_start')


@pytest.fixture
def cfg(runner_cfg, distiller_cfg):
    return runner_cfg(distiller_cfg())


def test_the_weight_that_is_found_gives_the_ratio(cfg):
    """Measured again with that weight, at the same batches."""
    (found,) = calibrate(cfg, batches=4, warmup=0, target=0.5).values()
    assert found.weight == 1e-3
    assert found.start == found.warm
    assert found.best * found.start.ratio == pytest.approx(0.5)
    cfg.model.distill.loss_mgd.loss.loss_weight = found.best
    (again,) = calibrate(cfg, batches=4, warmup=0, target=0.5).values()
    assert again.weight == found.best
    assert again.start == found.start  # which is for a weight of 1


def test_after_the_warm_up_the_loss_is_another(cfg):
    cfg.optim_wrapper.optimizer.lr = 0.005
    (found,) = calibrate(cfg, batches=4, warmup=20, target=1).values()
    assert found.warm.ratio != found.start.ratio
    assert found.warm.gradients > 0
    assert -1 <= found.warm.cosine <= 1
    assert found.best == 1 / found.warm.ratio
    assert cfg.model.distill.loss_mgd.loss.loss_weight == 1e-3  # unchanged


def test_the_command_prints_the_line_to_paste(cfg, tmp_path, capsys):
    cfg.dump(str(tmp_path / 'mgd.py'))
    words = [str(tmp_path / 'mgd.py'), '--batches', '3', '--warmup', '5']
    assert main(['calibrate', *words, '--target', '0.5']) == 0
    out = capsys.readouterr().out
    assert 'loss_mgd, with loss_weight=0.001:' in out
    assert 'at the start' in out and 'after 5 steps' in out
    assert 'cosine' in out
    weight = float(re.search(r'loss_weight=([\d.e+-]+)$', out.strip())[1])
    assert weight > 0
    assert not (tmp_path / 'work').exists()  # nothing is written


def test_the_start_alone_can_be_measured(cfg, tmp_path, capsys):
    cfg.dump(str(tmp_path / 'mgd.py'))
    words = [str(tmp_path / 'mgd.py'), '--batches', '1', '--warmup', '0']
    assert main(['calibrate', *words]) == 0
    out = capsys.readouterr().out
    assert 'at the start' in out and ' steps' not in out


def test_auto_in_the_config_is_measured_too(cfg):
    term = cfg.model.distill.loss_mgd
    term.loss.loss_weight = 'auto'
    term.auto = dict(steps=5)
    (found,) = calibrate(cfg, batches=2, warmup=0, target=1).values()
    assert found.weight is None
    assert found.best > 0
    _, weights = without_weights(cfg)
    assert weights == {'loss_mgd': None}


@pytest.mark.parametrize('batches', [0, 13, 1000])
def test_more_batches_than_the_data_have(cfg, batches):
    with pytest.raises(ValueError, match='--batches from 1 to 12.*got'):
        calibrate(cfg, batches=batches, warmup=0, target=1)


def test_a_loss_of_zero_and_one_that_is_infinite(cfg):
    """A teacher whose feature is nothing, and one that had diverged."""
    cfg.model.distill.loss_mgd.connector = dict(type='mmmgd.AlignConnector')
    for head in (cfg.model.student, cfg.model.teacher.config):
        head.backbone.update(base_channels=4, stem_channels=4)
        head.head.in_channels = 32
    same = cfg.model.distill.loss_mgd
    same.loss = dict(type='mmmgd.MGDLoss', loss_weight=0.0)
    # loss_weight 0 is measured with a weight of 1.
    (found,) = calibrate(cfg, batches=1, warmup=0, target=1).values()
    assert found.weight == 0 and found.best > 0
    cfg.model.student.head.loss = dict(
        type='CrossEntropyLoss', loss_weight=0.0
    )
    with pytest.raises(ValueError, match="student's own loss is 0"):
        calibrate(cfg, batches=1, warmup=0, target=1)
    cfg.model.student.head.loss = dict(
        type='CrossEntropyLoss', loss_weight=float('inf')
    )
    with pytest.raises(ValueError, match="student's own loss is inf"):
        calibrate(cfg, batches=1, warmup=0, target=1)


def test_a_plain_config_has_nothing_to_calibrate(
    runner_cfg, classifier_cfg, tmp_path
):
    runner_cfg(classifier_cfg()).dump(str(tmp_path / 'plain.py'))
    with pytest.raises(SystemExit, match='python -m mmmgd new'):
        main(['calibrate', str(tmp_path / 'plain.py')])


def _auto(cfg, epochs=4, **options):
    term = cfg.model.distill.loss_mgd
    term.loss.loss_weight = 'auto'
    term.auto = options
    cfg.train_cfg.max_epochs = epochs
    return cfg


def test_auto_lands_on_the_target_in_a_run(cfg, run):
    """Over the steps that follow, of which none is measured any more."""
    cfg.optim_wrapper.optimizer.lr = 0.005
    runner = run(_auto(cfg, target_ratio=0.5, steps=36))
    scalars = runner.message_hub.log_scalars
    # mmpretrain calls the student's own loss 'loss'.
    ours, own = (
        torch.tensor(scalars[f'train/{name}'].data[0][36:])
        for name in ('loss_mgd', 'loss')
    )
    assert len(ours) == 12
    ratio = float(ours.mean() / own.mean())
    assert ratio == pytest.approx(0.5, rel=0.2)
    auto = runner.model.terms['loss_mgd'].auto
    assert auto.frozen and auto.seen == 36


def test_auto_goes_on_after_resume_as_if_nothing_had_happened(
    runner_cfg, distiller_cfg, run, tmp_path
):
    """Interrupted while it is measured, and after."""

    def cfg(name, epochs):
        cfg = _auto(runner_cfg(distiller_cfg()), epochs, steps=18)
        cfg.work_dir = str(tmp_path / name)
        return cfg

    whole = run(cfg('whole', 3))
    run(cfg('cut', 1))  # 12 of 18 steps
    for epochs in (2, 3):
        rest = run(cfg('cut', epochs), resume=True)
    one, two = (r.model.terms['loss_mgd'].auto for r in (whole, rest))
    assert one.state_dict() == two.state_dict()
    assert one.frozen
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, rest.model.state_dict()[name]), name
