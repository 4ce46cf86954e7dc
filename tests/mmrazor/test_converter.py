"""A checkpoint of MMRazor goes on in MGDDistill as it would have there."""

import copy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS

from mmmgd.checkpoints.state_dicts import SECTION
from mmmgd.config import student_config

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools/model_converters'))

import distilled

POINTS = ['backbone.layer3', 'backbone.layer4']
WIDTHS = [(16, 24), (32, 48)]
ALPHA = 1e-3


@pytest.fixture
def student(classifier_cfg):
    """Without dropout and drop path, whose numbers the drivers share."""

    def _student(width=4):
        cfg = classifier_cfg(width)
        cfg['backbone'].pop('drop_path_rate')
        cfg['head'].pop('dropout_rate')
        return dict(cfg, _scope_='mmpretrain')

    return _student


@pytest.fixture
def teacher_file(student, build, tmp_path):
    path = str(tmp_path / 'teacher.pth')
    torch.save(build(student(6), seed=9).state_dict(), path)
    return path


@pytest.fixture
def mmrazor(student, teacher_file, runner_cfg):
    """MMRazor's algorithm, connector and loss; λ = 0 hides nothing."""
    recorders = {
        f'fpn{i}': dict(type='ModuleOutputs', source=point)
        for i, point in enumerate(POINTS, 3)
    }
    model = dict(
        _scope_='mmrazor',
        type='SingleTeacherDistill',
        architecture=student(),
        teacher=student(6),
        teacher_ckpt=teacher_file,
        distiller=dict(
            type='ConfigurableDistiller',
            student_recorders=recorders,
            teacher_recorders=recorders,
            connectors={
                name: dict(
                    type='MGDConnector',
                    student_channels=widths[0],
                    teacher_channels=widths[1],
                    lambda_mgd=0.0,
                )
                for name, widths in zip(recorders, WIDTHS, strict=True)
            },
            distill_losses={
                f'loss_{name}': dict(type='MGDLoss', alpha_mgd=ALPHA)
                for name in recorders
            },
            loss_forward_mappings={
                f'loss_{name}': dict(
                    preds_S=dict(
                        recorder=name, from_student=True, connector=name
                    ),
                    preds_T=dict(recorder=name, from_student=False),
                )
                for name in recorders
            },
        ),
    )
    schedule = dict(type='MultiStepLR', milestones=[1], gamma=0.1, end=2)
    return runner_cfg(model, epochs=1, param_scheduler=schedule)


@pytest.fixture
def ours(student, teacher_file, runner_cfg, tmp_path):
    model = dict(
        type='mmmgd.MGDDistill',
        student=student(),
        teacher=dict(config=student(6), checkpoint=teacher_file),
        distill=dict(
            loss_mgd=dict(
                points=POINTS,
                connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.0),
                loss=dict(type='mmmgd.MGDLoss', loss_weight=ALPHA),
            )
        ),
    )
    schedule = dict(type='MultiStepLR', milestones=[1], gamma=0.1, end=2)
    cfg = runner_cfg(model, epochs=2, param_scheduler=schedule)
    cfg.work_dir = str(tmp_path / 'ours')
    return cfg


def test_a_checkpoint_of_mmrazor(mmrazor, ours, run, tmp_path):
    config, target = str(tmp_path / 'ours.py'), tmp_path / 'converted.pth'
    ours.dump(config)
    first = run(copy.deepcopy(mmrazor)).model
    source = str(tmp_path / 'work' / 'epoch_1.pth')

    # the plain student, bit by bit
    distilled.main([source, str(target), '--config', config])
    student = MODELS.build(student_config(ours).model)
    state = torch.load(target, weights_only=True)['state_dict']
    student.load_state_dict(state, strict=True)
    for key, value in first.architecture.state_dict().items():
        assert torch.equal(student.state_dict()[key], value)

    # the second epoch, there and here
    mmrazor.train_cfg.max_epochs = 2
    mmrazor.load_from = source
    there = run(mmrazor, resume=True)
    distilled.main([source, str(target), '--config', config, '--resumable'])
    section = torch.load(target, weights_only=False)[SECTION]['state_dict']
    for i, connector in enumerate(first.distiller.connectors.values()):
        for key, value in connector.state_dict().items():
            name = f'loss_mgd.connectors.{i}.{key}'
            assert torch.equal(section[name], value)
    ours.load_from = str(target)
    here = run(ours, resume=True)
    assert (here.epoch, here.iter) == (there.epoch, there.iter) == (2, 24)
    before = first.architecture.state_dict()
    after = there.model.architecture.state_dict()
    for key, value in here.model.student.state_dict().items():
        torch.testing.assert_close(value, after[key], rtol=1e-4, atol=1e-6)
    moved = after['backbone.conv1.weight'] - before['backbone.conv1.weight']
    assert moved.abs().max() > 1e-4


def test_losses_with_parameters_are_refused(mmrazor, ours, tmp_path):
    config, source = str(tmp_path / 'ours.py'), str(tmp_path / 'in.pth')
    ours.dump(config)
    state = MODELS.build(mmrazor.model).state_dict()
    state['distiller.distill_losses.loss_crd.embed.weight'] = torch.zeros(1)
    torch.save(dict(state_dict=state), source)
    arguments = [source, str(tmp_path / 'out.pth'), '--config', config]
    distilled.main(arguments)
    with pytest.raises(SystemExit, match='losses with parameters'):
        distilled.main([*arguments, '--resumable'])
