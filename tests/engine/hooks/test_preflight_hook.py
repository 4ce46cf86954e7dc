"""Each known cause of a bad student is named, through a real Runner."""

import copy
import json
import re
from functools import partial

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner import Runner
from torch import nn

from mmmgd.engine.hooks.preflight_hook import ratio_warning
from mmmgd.models import MGDLoss

pytestmark = pytest.mark.usefixtures('quick_start')

# A weight at which the loss is as large as the task's in this toy.
GOOD = 0.2


@pytest.fixture
def cfg_of(runner_cfg, distiller_cfg, classifier_cfg, tmp_path):
    """A factory of configs in which nothing is wrong."""

    def _cfg(**changes):
        teacher = MODELS.build(classifier_cfg(width=6))
        torch.save(teacher.state_dict(), tmp_path / 'teacher.pth')
        model = distiller_cfg()
        model['teacher']['checkpoint'] = str(tmp_path / 'teacher.pth')
        model['distill']['loss_mgd']['loss']['loss_weight'] = GOOD
        cfg = runner_cfg(
            model,
            auto_scale_lr=dict(base_batch_size=4),
            log_level='INFO',
            **{
                'default_hooks.logger': dict(type='LoggerHook', interval=1),
                'optim_wrapper.optimizer.lr': 0.01,
            },
        )
        for key in ('val_cfg', 'val_dataloader', 'val_evaluator'):
            cfg[key] = None
        cfg.default_hooks.checkpoint = None
        cfg.merge_from_dict(changes)
        return Config(cfg.to_dict(), format_python_code=False)

    return _cfg


@pytest.fixture
def log_of(run, tmp_path):
    """Train, and return what the log says."""

    def _log(cfg):
        run(cfg)
        (file,) = tmp_path.glob('work/*/*.log')
        return file.read_text()

    return _log


def _warnings(log):
    return set(re.findall(r'WARNING - \[([\w-]+)\]', log))


def test_a_good_run_gives_a_report_before_step_1_and_no_warning(
    cfg_of, log_of, tmp_path
):
    """The ratio against the scalars that MMEngine writes at each step."""
    log = log_of(cfg_of(log_processor=dict(window_size=1)))
    assert _warnings(log) == set()
    first = log.index('Epoch(train)')
    assert log.count('Before step 1') == 1
    for word in ('Before step', 'SHA-256', 'clip_grad', 'teacher: the same',
                 'backbone.layer4 32x28x28 /8', '4 x 1 proc'):  # fmt: skip
        assert word in log[:first]

    (scalars,) = tmp_path.glob('work/*/vis_data/scalars.json')
    rows = [json.loads(row) for row in scalars.read_text().splitlines()]
    rows = [row for row in rows if 'loss' in row][:10]
    assert len(rows) == 10
    mgd = sum(row['loss_mgd'] for row in rows)
    task = sum(row['loss'] for row in rows)  # the student's has this name
    found = re.search(r'loss_mgd / task loss = ([\d.]+) .*first 10 step', log)
    assert float(found[1]) == pytest.approx(mgd / task, rel=6e-3)
    assert 0.1 < mgd / task < 2


def test_alpha_times_1000(cfg_of, log_of):
    cfg = cfg_of(
        **{
            'model.distill.loss_mgd.loss.loss_weight': 1000 * GOOD,
            'optim_wrapper.optimizer.lr': 1e-5,
        }
    )
    log = log_of(cfg)
    assert _warnings(log) == {'loss-ratio'}
    assert re.search(
        r'\[loss-ratio\] distill.loss_mgd is \d{2,} .* by about 0.0', log
    )


@pytest.mark.parametrize(
    ('ratio', 'words'),
    [
        (0.099, 'is 0.099 times.*by about 10'),
        (2.01, 'is 2.01 times.*by about 0.5'),
        (0.0, 'nothing is distilled'),
        (float('nan'), 'is nan times'),
    ],
)
def test_the_range_of_the_authors(ratio, words):
    assert re.search(words, ratio_warning('loss_mgd', ratio))
    assert ratio_warning('x', 0.1) == ratio_warning('x', 2.0) == ''


def test_one_eighth_of_the_batch(cfg_of, log_of):
    log = log_of(cfg_of(**{'auto_scale_lr.base_batch_size': 32}))
    assert _warnings(log) == {'batch'}
    assert 'The effective batch is 4' in log and 'set for 32' in log


def test_one_eighth_of_the_batch_with_the_rate_scaled(cfg_of, log_of):
    log = log_of(cfg_of(auto_scale_lr=dict(base_batch_size=32, enable=True)))
    assert _warnings(log) == set()
    assert 'lr=0.00125 is for 4' in log


def test_a_teacher_of_unknown_input(cfg_of, log_of):
    cfg = cfg_of()
    del cfg.model.teacher.config.data_preprocessor
    log = log_of(cfg)
    assert _warnings(log) == {'teacher-input'}


def test_a_teacher_without_weights(cfg_of, log_of):
    log = log_of(cfg_of(**{'model.teacher.checkpoint': False}))
    assert _warnings(log) == {'teacher-weights'}


@MODELS.register_module(force=True)
class Detached(nn.Conv2d):
    """A connector of somebody's, from which no gradient comes back."""

    def __init__(self, student_channels, teacher_channels):
        super().__init__(student_channels, teacher_channels, 1)

    def forward(self, feature):
        return super().forward(feature.detach())


@MODELS.register_module(force=True)
class DeadLoss(MGDLoss):
    """A loss that is positive and flat."""

    def forward(self, preds_S, preds_T):
        return super().forward(preds_S.detach(), preds_T) + 0 * preds_S.sum()


@pytest.mark.parametrize('part', ['connector', 'loss'])
def test_no_gradient_reaches_the_student(cfg_of, log_of, part):
    """Of the two entries the one that is cut off is named."""
    cfg = cfg_of()
    entry = copy.deepcopy(cfg.model.distill.loss_mgd)
    if part == 'connector':
        entry.connector = dict(type='Detached')
    else:
        entry.loss.type = 'DeadLoss'
        entry.points = 'head.layers.1.fc'
        entry.pop('connector')
    cfg.model.distill.loss_cut = entry
    log = log_of(cfg)
    assert _warnings(log) - {'loss-ratio'} == {'no-gradient'}
    assert re.findall(r'distill.(\w+) has sent no gradient', log) == [
        'loss_cut'
    ]


def test_the_wrong_teacher_file(cfg_of, run, classifier_cfg, tmp_path):
    other = MODELS.build(classifier_cfg(width=6, depth=34))
    path = tmp_path / 'other.pth'
    torch.save(other.state_dict(), path)
    with pytest.raises(ValueError, match='Expected weights.*other.pth.*layer'):
        run(cfg_of(**{'model.teacher.checkpoint': str(path)}))


def test_a_wider_teacher_inherited(cfg_of, run):
    with pytest.raises(ValueError, match="part 'head' to be the same"):
        run(cfg_of(**{'model.inherit': ['head']}))


def test_a_point_that_never_runs(cfg_of, run):
    key = 'model.distill.loss_mgd.points'
    with pytest.raises(RuntimeError, match="'head.loss_module' exists but"):
        run(cfg_of(**{key: 'head.loss_module'}))


@pytest.mark.parametrize('built', [False, True])
def test_our_hook_never_runs(cfg_of, run, built):
    """A stock Runner reads no check_config of ours, nor a config at all."""
    cfg = cfg_of()
    del cfg.default_hooks.distill
    if built:
        runner = Runner(
            model=MODELS.build(cfg.model),
            work_dir=cfg.work_dir,
            train_dataloader=cfg.train_dataloader,
            train_cfg=cfg.train_cfg,
            optim_wrapper=cfg.optim_wrapper,
            default_scope='mmpretrain',
        )
        train = runner.train
    else:
        train = partial(run, cfg)
    with pytest.raises(RuntimeError, match='no mmmgd.DistillHook ran'):
        train()
    # without a Runner nobody needs it, whatever ran before
    MODELS.build(cfg.model).init_weights()
