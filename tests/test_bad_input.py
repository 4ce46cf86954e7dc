"""Kinds of bad config or file. None of them reaches an optimizer step.

Each goes through a real Runner on real data, and must end with a message that
names the key (or the file) to mend.
"""

import pickle

import pytest
import torch
from mmengine.config import Config
from torch.optim.optimizer import register_optimizer_step_post_hook

pytestmark = pytest.mark.usefixtures('quick_start')
POINT = 'backbone.layer4'


class Payload:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (print, ('code of the file ran',))


def _set(path, value):
    """Change one key of the config."""

    def change(cfg, tmp_path):
        cfg.merge_from_dict({path: value})

    return change


def _put(path, value):
    """Replace the value of a key, whatever it was."""

    def change(cfg, tmp_path):
        *parents, last = path.split('.')
        for parent in parents:
            cfg = cfg[parent]
        cfg[last] = value

    return change


def _drop(path):
    """Remove a key."""

    def change(cfg, tmp_path):
        *parents, last = path.split('.')
        for parent in parents:
            cfg = cfg[parent]
        del cfg[last]

    return change


def _teacher_file(content):
    """Name a teacher's file with this content: bytes, or what saves it."""

    def change(cfg, tmp_path):
        file = tmp_path / 'teacher.pth'
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            content(cfg, file)
        cfg.model.teacher.checkpoint = str(file)

    return change


def _weights(edit=lambda state: state, **arguments):
    """Save a model's weights, of another width or depth if asked for."""

    def save(cfg, file):
        from mmengine.registry import MODELS
        from small_models import classifier

        model = MODELS.build(classifier(**{'width': 6, **arguments}))
        torch.save(edit(model.state_dict()), file)

    return save


def _truncated(cfg, file):
    _weights()(cfg, file)
    file.write_bytes(file.read_bytes()[:5000])


def _without_a_tensor(state):
    del state['backbone.layer3.1.conv2.weight']
    return state


def _with_nan(state):
    state['backbone.layer2.0.bn1.running_var'][3] = float('nan')
    return state


def _plain_student(cfg, tmp_path):
    cfg.model = cfg.model.student


TERM = 'model.distill.loss_mgd'
CONNECTOR = f'{TERM}.connector'
SIDES = dict(student=['backbone.layer3', POINT], teacher=[POINT])

KINDS = {
    # the config
    'a key of MMCV 1.x': (
        _set('optimizer_config', dict(grad_clip=dict(max_norm=35))),
        "'optimizer_config'.*never reads"),
    'a schedule of MMCV 1.x': (
        _set('lr_config', dict(policy='step')), "'lr_config'.*param_schedul"),
    'no DistillHook': (
        _drop('default_hooks.distill'), 'no mmmgd.DistillHook ran'),
    'a typing error in its name': (
        _set('default_hooks.distill.type', 'mmmgd.DistilHook'), 'DistilHook'),
    'DistillHook with a plain model': (
        _plain_student, 'DistillHook.*Remove the hook'),
    'gradient clipping that is no dict': (
        _set('optim_wrapper.clip_grad', 35), 'clip_grad'),
    'an unknown key of it': (
        _set('optim_wrapper.clip_grad', dict(max_nrom=35)), 'max_nrom'),
    # student and teacher
    'no student': (_put('model.student', None), '`student` to be a dict'),
    'a student without type': (
        _drop('model.student.type'), '`student`.*with its `type`'),
    'an unknown key of the model': (
        _set('model.inherits', ['neck']), 'inherits'),
    'a teacher that is a path': (
        _put('model.teacher', 't.py'), '`teacher`.*dict.config='),
    'a teacher without config': (
        _drop('model.teacher.config'), "'config' in teacher"),
    'an unknown key of the teacher': (
        _set('model.teacher.checkpont', 'x.pth'),
        "teacher.*'checkpont'. Did you mean 'checkpoint'"),
    'the file of the teacher under another name': (
        _set('model.teacher.weights', 'x.pth'), "'weights'.*'checkpoint'"),
    'a model merged with that of its base': (
        _set('model.backbone', dict(type='ResNet')), '_delete_=True'),
    'a key that MMEngine ignores': (
        _set('env_cfg.cudnn_benchmrk', True), "'cudnn_benchmrk'.*mark'"),
    'a teacher config that is not there': (
        _put('model.teacher.config', 'nowhere.py'), 'config.*nowhere.py'),
    'one that its package does not have': (
        _put('model.teacher.config', 'mmpretrain::resnet/resnet34_8xb32_in1'),
        'Close names:.*resnet34_8xb32_in1k'),
    'a package that is not installed': (
        _put('model.teacher.config', 'mmyolo::x.py'), "package 'mmyolo'"),
    # the teacher's file
    'no file named': (
        _drop('model.teacher.checkpoint'), "teacher's `checkpoint`"),
    'a file named True': (
        _set('model.teacher.checkpoint', True), '`checkpoint`.*got True'),
    'a file that is not there': (
        _set('model.teacher.checkpoint', 'no.pth'), "'no.pth'.*no such file"),
    'an empty file': (_teacher_file(b''), r'teacher.pth.*\(0 bytes\)'),
    'a page of a web site': (
        _teacher_file(b'<html>404</html>'), 'teacher.pth'),
    'half a file': (_teacher_file(_truncated), 'teacher.pth.*damaged'),
    'a file that runs code': (
        _teacher_file(pickle.dumps(Payload())), 'teacher.pth.*running code'),
    'a file without weights': (
        _teacher_file(lambda cfg, file: torch.save({'epoch': 1}, file)),
        'Expected weights in.*teacher.pth'),
    'weights of another width': (
        _teacher_file(_weights(width=5)), 'teacher.pth.*size mismatch'),
    'weights of another depth': (
        _teacher_file(_weights(depth=34)), 'teacher.pth.*layer1.2'),
    'a tensor is missing': (
        _teacher_file(_weights(_without_a_tensor)),
        'missing: backbone.layer3.1.conv2.weight'),
    'weights that are not finite': (
        _teacher_file(_weights(_with_nan)),
        "backbone.layer2.0.bn1.running_var' in .*teacher.checkpoint"),
    # what starts from the teacher
    'inherited parts as text': (
        _set('model.inherit', 'head'), r"`inherit`.*Write \['head'\]"),
    'a part that is not there': (
        _set('model.inherit', ['haed']), "'haed'. Close names: 'head'"),
    'a part of another width': (
        _set('model.inherit', ['head']), "part 'head'.*layers.0.fc.weight"),
    # what is compared
    'nothing': (_put('model.distill', {}), '`distill`.*at least one'),
    'a list': (_put('model.distill', []), '`distill` to be a dict'),
    'a name without loss': (
        _put('model.distill', dict(mgd={})), "`distill`.*got 'mgd'"),
    'a name that the student uses': (
        lambda cfg, _: cfg.model.distill.update(
            loss=cfg.model.distill.pop('loss_mgd')),
        "loss named 'loss'.*`distill`"),
    'no points': (_drop(f'{TERM}.points'), "points.*in distill.'loss_mgd'"),
    'no loss': (_drop(f'{TERM}.loss'), "loss.*in distill.'loss_mgd'"),
    'an unknown key': (
        _set(f'{TERM}.conector', None),
        "connector.*in distill.'loss_mgd'.*but got.*'conector'"),
    'an empty list of points': (
        _put(f'{TERM}.points', []), "`points` of 'loss_mgd'"),
    'a point that is not there': (
        _put(f'{TERM}.points', 'backbone.layer44'),
        "'backbone.layer44'. Close names: 'backbone.layer4'"),
    'a point that the teacher lacks': (
        _put(f'{TERM}.points', dict(student=POINT, teacher='neck.gapp')),
        "of the teacher.*'neck.gapp'. Close names: 'neck.gap'"),
    'a point that does not run': (
        _put(f'{TERM}.points', 'head.loss_module'),
        "'head.loss_module' exists but did not run"),
    'a point that runs twice': (
        _put(f'{TERM}.points', 'backbone.layer4.0.relu'),
        "'backbone.layer4.0.relu' ran 2 times"),
    'an output that is not there': (
        _put(f'{TERM}.points', f'{POINT}[1]'), f"'{POINT}.1.' has nothing"),
    'more points on one side': (
        _put(f'{TERM}.points', SIDES), "points.*'loss_mgd'.*2.*and 1"),
    'points of another stride': (
        _put(f'{TERM}.points', dict(student='backbone.layer3', teacher=POINT)),
        'loss_mgd: expected maps of the same height'),
    'a frozen point': (
        _set('model.student.backbone.frozen_stages', 4),
        f"loss_mgd.*'{POINT}' carries no gradient"),
    # connector and loss
    'a connector without type': (
        _put(CONNECTOR, dict(mask_ratio=0.5)), 'loss_mgd.connector.*`type`'),
    'an unknown connector': (
        _set(f'{CONNECTOR}.type', 'mmmgd.MGDConector'), 'MGDConector'),
    'no connector for another width': (
        _put(CONNECTOR, None), 'loss_mgd: .*no connector'),
    'a written width that is wrong': (
        _set(f'{CONNECTOR}.student_channels', 33), 'student_channels=33'),
    'a point without positions': (
        _put(f'{TERM}.points', 'neck'), "connector works on maps.*'neck'"),
    'a mask ratio of None': (
        _put(f'{CONNECTOR}.mask_ratio', None), '`mask_ratio`.*got None'),
    'a list of mask ratios': (
        _put(f'{CONNECTOR}.mask_ratio', [0.5]), r'`mask_ratio`.*got \[0.5\]'),
    'the mask ratio under its name in MMRazor': (
        _set(f'{CONNECTOR}.lambda_mgd', 0.5), "'lambda_mgd'.*'mask_ratio'"),
    'the weight under its name in MMRazor': (
        _set(f'{TERM}.loss.alpha_mgd', 0.5), "'alpha_mgd'.*'loss_weight'"),
    'no mask ratio': (_drop(f'{CONNECTOR}.mask_ratio'), 'mask_ratio'),
    'a mask ratio of one': (
        _set(f'{CONNECTOR}.mask_ratio', 1.0), '`mask_ratio`.*got 1.0'),
    'a mask ratio as text': (
        _set(f'{CONNECTOR}.mask_ratio', '0.5'), "`mask_ratio`.*got '0.5'"),
    'an unknown kind of mask': (
        _set(f'{CONNECTOR}.mask_dim', 'pixel'), "`mask_dim`.*got 'pixel'"),
    'a loss as text': (
        _put(f'{TERM}.loss', 'mmmgd.MGDLoss'), 'loss_mgd.loss.*`type`'),
    'a weight below zero': (
        _set(f'{TERM}.loss.loss_weight', -1), '`loss_weight`.*got -1'),
    'a weight that is no number': (
        _set(f'{TERM}.loss.loss_weight', float('nan')), '`loss_weight`.*nan'),
    'a temperature of zero': (
        _put(f'{TERM}.loss', dict(type='mmmgd.WSLD', tau=0, loss_weight=1)),
        '`tau` above 0'),
}  # fmt: skip


@pytest.fixture
def steps():
    """Count optimizer steps, of whatever optimizer."""
    taken = []
    handle = register_optimizer_step_post_hook(lambda *_: taken.append(1))
    yield taken
    handle.remove()


def test_there_are_thirty():
    assert len(KINDS) >= 30


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind)
def test_it_stops_before_the_first_step(
    kind, runner_cfg, distiller_cfg, run, steps, tmp_path, capsys
):
    change, message = KINDS[kind]
    cfg = runner_cfg(distiller_cfg())
    change(cfg, tmp_path)
    cfg = Config(cfg.to_dict(), format_python_code=False)
    with pytest.raises(Exception, match=f'(?s){message}'):
        run(cfg)
    assert not steps
    assert not list(tmp_path.glob('work/*.pth'))
    assert 'code of the file ran' not in capsys.readouterr().out


def test_the_good_config_does_step(runner_cfg, distiller_cfg, run, steps):
    """Or the tests above would show nothing."""
    run(runner_cfg(distiller_cfg()))
    assert len(steps) == 12
