"""Two teachers in real runs: the sum of two runs, and cut in the middle."""

import copy

import pytest
import torch
from mmengine.registry import MODELS
from small_models import vit
from torch import nn

pytestmark = pytest.mark.usefixtures('quick_start')


@MODELS.register_module(force=True)
class Repeat(nn.Module):
    """Brings a map to the width of the teacher's without any weights."""

    def __init__(self, student_channels, teacher_channels):
        super().__init__()
        numbers = torch.arange(teacher_channels) % student_channels
        self.register_buffer('numbers', numbers, persistent=False)

    def forward(self, feature):
        return feature[:, self.numbers]


def _entry(teacher_point, **changes):
    return dict(
        points=dict(student='backbone.layer4', teacher=teacher_point),
        connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.5),
        loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-3),
        **changes,
    )


@pytest.fixture
def cfg_of(runner_cfg, distiller_cfg, classifier_cfg, tmp_path):
    """A factory of runs: a wider ResNet, a ViT on other input, or both."""
    raw = dict(type='ClsDataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3)
    teachers = {
        'a': dict(config=classifier_cfg(width=6), checkpoint=False),
        'b': dict(config=dict(vit(), data_preprocessor=raw), checkpoint=False),
    }
    points = dict(a='backbone.layer4', b='backbone.layers.2')

    def _cfg(names, entry=_entry, **changes):
        distill = {
            f'loss_{name}': entry(points[name], teacher=name) for name in names
        }
        teacher = {name: teachers[name] for name in names}
        if len(names) == 1:
            del distill[f'loss_{names}']['teacher']
            teacher = teachers[names]
        model = distiller_cfg(teacher=teacher, distill=distill)
        cfg = runner_cfg(copy.deepcopy(model), **changes)
        cfg.work_dir = str(tmp_path / names)
        cfg.custom_hooks = []
        return cfg

    return _cfg


def test_a_cut_run_of_two_teachers_is_the_unbroken_one(cfg_of, cut_and_whole):
    """Cut in the second epoch; the first teacher goes after it."""
    cfg = cfg_of('ab', epochs=3)
    cfg.model.distill.loss_a.until = 2
    whole, parts = cut_and_whole(cfg, 12 + 3)
    for runner in (whole, parts):
        loaded = [t.loaded for t in runner.model.teachers.values()]
        assert loaded == [False, True]
        history = runner.message_hub.get_scalar('train/loss_a').data[0]
        assert (history[-12:] == 0).all() and (history[:-12] > 0).all()


def test_two_teachers_give_the_sum_of_two_runs(cfg_of, run):
    """At each of twelve steps; the student stands still, to be the same."""

    def mimic(point, **changes):
        # Nothing is drawn: a connector of two runs has other weights.
        return dict(
            _entry(point, **changes),
            connector=dict(type='Repeat'),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-3),
        )

    losses = {}
    for names in ('ab', 'a', 'b'):
        cfg = cfg_of(names, mimic)
        cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.0)
        hub = run(cfg).message_hub
        for name in names:
            history = hub.get_scalar(f'train/loss_{name}').data[0]
            losses[names, name] = torch.tensor(history).double()
    together = losses['ab', 'a'] + losses['ab', 'b']
    single = losses['a', 'a'] + losses['b', 'b']
    assert len(together) == 12 and (single > 0).all()
    torch.testing.assert_close(together, single, rtol=1e-6, atol=0)
