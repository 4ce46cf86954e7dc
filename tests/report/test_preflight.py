"""The report's numbers against the same ones taken another way."""

import hashlib
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from mmmgd.report.effective_batch import batch_text
from mmmgd.report.preflight import preflight

CFG = Config(
    dict(
        train_dataloader=dict(batch_size=4),
        optim_wrapper=dict(
            optimizer=dict(lr=0.1), clip_grad=dict(max_norm=35, norm_type=2)
        ),
        auto_scale_lr=dict(base_batch_size=4),
    )
)


@pytest.fixture
def trained(distiller_cfg, classifier_cfg, build, tmp_path):
    """An MGDDistill with a teacher from a file, and that file."""
    path = tmp_path / 't.pth'
    torch.save(build(classifier_cfg(width=4), seed=7).state_dict(), path)
    cfg = distiller_cfg(inherit=['head'])
    cfg['teacher'] = dict(config=classifier_cfg(), checkpoint=str(path))
    return build(cfg), path


def _line(report, head):
    rows = [r for r in report.lines[1:] if r[2:14].strip() == head]
    assert len(rows) == 1
    return rows[0][14:]


def test_the_teachers_file(trained):
    model, path = trained
    text = '\n'.join(preflight(model, CFG).lines)
    assert str(path) in text
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f'SHA-256 {digest}' in text
    used = [
        k
        for k in torch.load(path)
        if k.startswith(('backbone', 'head')) and 'num_batches' not in k
    ]  # of the head because the student inherits it
    assert f'{len(used)}/{len(used)} tensors' in text


def test_what_is_inherited(trained):
    model, _ = trained
    count = len(model.student.head.state_dict())
    assert (
        _line(preflight(model, CFG), 'inherited') == f'{count} tensors: head'
    )


def test_points_with_shape_and_stride(build, distiller_cfg):
    cfg = distiller_cfg()
    pair = dict(student='backbone.layer3', teacher='backbone.layer3.1.conv2')
    cfg['distill']['loss_mgd']['points'] = [pair, 'backbone.layer4']
    report = preflight(build(cfg), CFG)
    assert _line(report, 'loss_mgd.0') == (
        'backbone.layer3 16x56x56 /4 <- backbone.layer3.1.conv2 24x56x56 /4'
    )
    assert _line(report, 'loss_mgd.1') == (
        'backbone.layer4 32x28x28 /8 <- backbone.layer4 48x28x28 /8'
    )


def test_parameters_and_shares(build, distiller_cfg):
    from torch.utils.flop_counter import FlopCounterMode

    model = build(distiller_cfg()).eval()
    report = preflight(model, CFG)
    image = torch.zeros(1, 3, 224, 224)
    connector = model.terms['loss_mgd'].connectors[0]
    teacher = model.teacher.module
    runs = {
        'student': lambda: model.student(image),
        'teacher': lambda: teacher.backbone(image),
        'connectors': lambda: connector(torch.zeros(1, 32, 28, 28)),
    }
    parts = dict(student=model.student, teacher=teacher, connectors=connector)
    flops = {}
    for name, run in runs.items():
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            run()
        flops[name] = counter.get_total_flops() / 2
    times = {k: n * (1 if k == 'teacher' else 3) for k, n in flops.items()}
    text = '\n'.join(report.lines)
    for name, part in parts.items():
        numbers = re.search(
            rf'{name}: ([\d.]+) M .* ([\d.]+) GFLOPs, (\d+)% of', text
        ).groups()
        assert float(numbers[0]) == pytest.approx(
            sum(p.numel() for p in part.parameters()) / 1e6, abs=0.005
        )
        assert float(numbers[1]) == pytest.approx(flops[name] / 1e9, abs=5e-4)
        share = times[name] / sum(times.values())
        assert float(numbers[2]) == pytest.approx(100 * share, abs=0.5)


def test_both_inputs_are_named(build, distiller_cfg):
    cfg = distiller_cfg()
    cfg['teacher']['config']['data_preprocessor'].update(
        mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], to_rgb=True
    )
    text = '\n'.join(preflight(build(cfg), CFG).lines)
    assert 'student: mean 127.5, std 127.5' in text
    assert re.search(
        'teacher: re-normalised, channels swapped, mean 1, 2, 3, std 4, 5, 6',
        text,
    )
    assert 'teacher: the same' in '\n'.join(
        preflight(build(distiller_cfg()), CFG).lines
    )


def test_clipping(build, distiller_cfg):
    model = build(distiller_cfg())
    line = _line(preflight(model, CFG), 'clip_grad')
    assert line == 'max_norm=35, norm_type=2'
    assert _line(preflight(model, Config()), 'clip_grad') == 'off'


def test_it_fits_on_a_screen_and_changes_nothing(build, distiller_cfg):
    model = build(distiller_cfg())
    before = {k: v.clone() for k, v in model.state_dict().items()}
    random = torch.get_rng_state()
    report = preflight(model, CFG)
    assert len(report.lines) < 25
    assert torch.equal(torch.get_rng_state(), random)
    after = model.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())
    assert model.terms['loss_mgd'].connectors[0].mask_stream.draws == 0


# (in one process, processes, accumulated, for, auto-scale), lr, warning
BATCHES = {
    'the recipe': ((32, 8, 1, 256, False), 'lr=0.1 is for 256', ''),
    'one eighth': (
        (32, 1, 1, 256, False), 'lr=0.1 is for 256', 'is 32.*for 256'),
    'one eighth, scaled': ((32, 1, 1, 256, True), 'lr=0.0125 is for 32', ''),
    'one eighth, accumulated': (
        (32, 1, 8, 256, False), '= 256; lr=0.1 is for 256', ''),
    'accumulated, and scaled as if not': (
        (32, 1, 8, 256, True), '= 256; lr=0.0125 is for 32', 'is 256.*for 32'),
    'a little less': ((24, 8, 1, 256, False), 'lr=0.1 is for 256', ''),
    'four times': (
        (128, 8, 1, 256, False), 'lr=0.1 is for 256', 'is 1024.*for 256'),
    'unknown': ((32, 8, 1, None, False), 'one that lr=0.1 is for is not', ''),
}  # fmt: skip


@pytest.mark.parametrize('case', BATCHES)
def test_effective_batch(case):
    (one, processes, counts, base, scale), line, warning = BATCHES[case]
    cfg = Config(
        dict(
            train_dataloader=dict(batch_size=one),
            optim_wrapper=dict(
                optimizer=dict(lr=0.1), accumulative_counts=counts
            ),
            auto_scale_lr=dict(enable=scale),
        )
    )
    if base:
        cfg.auto_scale_lr.base_batch_size = base
    text, found = batch_text(cfg, processes)
    assert line in text
    assert bool(found) == bool(warning)
    assert re.search(warning, found)


def test_a_config_that_states_no_batch():
    assert batch_text(Config(), 1) == ('not in the config', '')
    cfg = Config(dict(train_dataloader=dict(batch_size=2)))
    assert batch_text(cfg, 3)[0].startswith('2 x 3 processes')


def test_a_teacher_of_another_framework_gets_a_report(build, distiller_cfg):
    """A plain nn.Module has no data_preprocessor at all."""
    from mmengine.registry import MODELS as ROOT
    from torch import nn

    @ROOT.register_module(name='PlainNet', force=True)
    class PlainNet(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Conv2d(3, 48, 3, stride=8, padding=1))

    cfg = distiller_cfg()
    cfg['teacher'] = dict(
        config=dict(type='mmengine.PlainNet'), checkpoint=False
    )
    cfg['distill']['loss_mgd']['points'] = dict(
        student='backbone.layer4', teacher='0'
    )
    report = preflight(MODELS.build(cfg), CFG)
    assert '<- 0 48x28x28 /8' in _line(report, 'loss_mgd')
    assert any('[teacher-input]' in w for w in report.warnings)
