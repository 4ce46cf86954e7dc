"""Files of another model: refused, or used with a word about what is not."""

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner import Runner

from mmmgd.checkpoints.reading import CheckpointError

pytestmark = pytest.mark.usefixtures('quick_start')


@pytest.fixture
def file_of(tmp_path):
    """Save the weights of a model, under names that may be edited."""

    def _save(cfg, rename=lambda name: name):
        model = MODELS.build(cfg)
        path = tmp_path / 'start.pth'
        state = {rename(k): v for k, v in model.state_dict().items()}
        torch.save({'state_dict': state}, path)
        return model, str(path)

    return _save


@pytest.fixture
def begun(runner_cfg, distiller_cfg, tmp_path):
    """A Runner that has read ``load_from``."""

    def _begin(path, **hook):
        cfg = runner_cfg(distiller_cfg(), load_from=path)
        cfg.default_hooks.distill.update(hook)
        cfg.experiment_name = f'{tmp_path.name}-{len(hook)}'
        runner = Runner.from_cfg(cfg)
        runner.call_hook('before_run')
        runner.load_or_resume()
        return runner

    return _begin


def _log(folder):
    return ''.join(p.read_text() for p in sorted(folder.glob('*/*.log')))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(width=6), 'of another shape: backbone.conv1.weight'),  # teacher
        (dict(depth=34), 'not in the model: backbone.layer1.2'),
        (dict(depth=34, width=6), '96 tensors not in the model'),
    ],
)
def test_another_model_is_refused_by_name(
    begun, file_of, classifier_cfg, changes, message
):
    _, path = file_of(classifier_cfg(**changes))
    with pytest.raises(CheckpointError, match=f'start.pth.*{message}'):
        begun(path)


def test_a_model_of_another_task_is_refused(begun, file_of, classifier_cfg):
    _, path = file_of(
        classifier_cfg(), lambda k: k.replace('head.layers', 'bbox_head.fc')
    )
    with pytest.raises(
        CheckpointError, match='missing: head.lay.*not in the model: bbox_head'
    ):
        begun(path)
    runner = begun(path, allow_mismatch=True)
    assert runner.model.student is not None


def test_other_classes_are_allowed_and_said(
    begun, file_of, classifier_cfg, tmp_path
):
    model, path = file_of(classifier_cfg(classes=77))
    runner = begun(path)
    state = runner.model.student.state_dict()
    for name, value in model.state_dict().items():
        if state[name].shape == value.shape:
            assert torch.equal(state[name], value), name
    log = _log(tmp_path / 'work')
    assert '2 tensors of another shape: head.layers.1.fc' in log
    assert 'left out, so as initialised' in log


def test_a_file_without_weights_is_named(begun, tmp_path):
    torch.save({'model': {}, 'epoch': 3}, tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match="other.pth.*'epoch', 'model'"):
        begun(str(tmp_path / 'other.pth'))


def test_a_baselines_file_cannot_be_resumed_but_begun_with(
    run, runner_cfg, distiller_cfg, classifier_cfg, tmp_path
):
    run(runner_cfg(classifier_cfg()))
    cfg = runner_cfg(distiller_cfg(), epochs=2)
    cfg.load_from = str(tmp_path / 'work' / 'epoch_1.pth')
    with pytest.raises(
        CheckpointError, match=f"without a teacher.*load_from='{cfg.load_from}"
    ):
        run(cfg, resume=True)
    assert not (tmp_path / 'work' / 'epoch_2.pth').exists()


def _other_classes(model):
    model['student']['head']['num_classes'] = 77


def _other_points(model):
    points = dict(student='backbone.layer3', teacher='backbone.layer3')
    model['distill']['loss_mgd']['points'] = points


def _other_teacher(model):
    model['teacher']['config']['backbone']['base_channels'] = 8
    model['teacher']['config']['head']['in_channels'] = 64


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (_other_classes, 'student has changed.*head.layers.1.fc.weight'),
        (_other_points, '`distill` has changed.*loss_mgd.connectors.0'),
        (_other_teacher, '`distill` has changed.*loss_mgd.connectors.0'),
    ],
)
def test_another_config_cannot_resume(
    run, runner_cfg, distiller_cfg, change, message
):
    run(runner_cfg(distiller_cfg()))
    model = distiller_cfg()
    change(model)
    with pytest.raises(CheckpointError, match=f'epoch_1.*{message}'):
        run(runner_cfg(model, epochs=2), resume=True)
