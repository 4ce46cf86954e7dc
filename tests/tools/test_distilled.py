"""Files of the authors' code, in the layout that yzd-v/MGD@2c9da0b writes.

Those of MMRazor are in tests/mmrazor/test_converter.py.
"""

import copy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from mmmgd.checkpoints.reading import read_file
from mmmgd.checkpoints.state_dicts import SECTION

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'model_converters'))

import distilled  # noqa: E402

pytest.importorskip('mmpretrain')


@pytest.fixture
def distill_cfg(distiller_cfg, runner_cfg):
    """A whole config: two levels, the deeper one with a 1x1 align."""
    model = distiller_cfg()
    loss = model['distill']['loss_mgd']
    loss['points'] = [f'backbone.layer{i}' for i in (3, 4)]
    schedule = [
        dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=6),
        dict(type='MultiStepLR', milestones=[1], gamma=0.1, by_epoch=True),
    ]
    return runner_cfg(model, epochs=2, param_scheduler=schedule)


@pytest.fixture
def config(distill_cfg, tmp_path):
    path = tmp_path / 'distill.py'
    distill_cfg.dump(str(path))
    return str(path)


@pytest.fixture
def theirs(distill_cfg, build, batch):
    """A checkpoint after 12 iterations, and the model it was made of."""
    model = build(copy.deepcopy(distill_cfg.model), seed=5)
    images, samples = batch
    losses = nn.ModuleDict(
        {  # the authors' configs name the deepest level first
            f'loss_mgd_{level}': model.terms['loss_mgd'].connectors[level - 3]
            for level in (4, 3)
        }
    )
    optimizer = torch.optim.SGD(
        nn.ModuleList([model.student, losses]).parameters(), 0.05, momentum=0.9
    )
    total, _ = model.parse_losses(model(images, samples, mode='loss'))
    total.backward()
    optimizer.step()
    state = model.teacher.module.state_dict(prefix='teacher.')
    state.update(model.student.state_dict(prefix='student.'))
    state.update(losses.state_dict(prefix='distill_losses.'))
    # The hooked features are buffers there, and get into the file.
    state['student_backbone_layer4'] = torch.zeros(4, 32, 4, 4)
    meta = dict(epoch=1, iter=12, mmcv_version='1.4.8', config='raise Oops')
    return model, dict(
        state_dict=state, meta=meta, optimizer=optimizer.state_dict()
    )


def _convert(content, tmp_path, *arguments):
    source, target = tmp_path / 'in.pth', tmp_path / 'new' / 'out.pth'
    torch.save(content, source)
    distilled.main([str(source), str(target), *arguments])
    if hasattr(torch.serialization, 'safe_globals'):
        return torch.load(target, weights_only=True)
    return read_file(str(target))  # torch 2.1 knows no Counter


def test_the_plain_student(theirs, config, tmp_path, distill_cfg):
    model, content = theirs
    made = _convert(content, tmp_path, '--config', config)
    assert set(made) == {'state_dict', 'meta'}
    student = MODELS.build(distill_cfg.model.student)
    student.load_state_dict(made['state_dict'], strict=True)
    for key, value in model.student.state_dict().items():
        assert torch.equal(student.state_dict()[key], value)


def test_a_wrapped_model(theirs, config, tmp_path):
    model, content = theirs
    state = content['state_dict']
    content['state_dict'] = {f'module.{k}': v for k, v in state.items()}
    made = _convert(content, tmp_path, '--config', config)
    assert made['state_dict'].keys() == model.student.state_dict().keys()


def test_training_goes_on(
    theirs, config, tmp_path, distill_cfg, run, build, capsys
):
    model, content = theirs
    made = _convert(content, tmp_path, '--config', config, '--resumable')
    said = capsys.readouterr().out
    assert 'connector loss_mgd_4 -> loss_mgd.1' in said
    for key, value in model.terms.state_dict().items():
        assert torch.equal(made[SECTION]['state_dict'][key], value)
    # the momentum of each parameter is the gradient of the one step
    names = [k for k, _ in model.named_parameters()]
    assert made['optimizer']['state'].keys() == set(range(len(names)))
    for i, (_, parameter) in enumerate(model.named_parameters()):
        momentum = made['optimizer']['state'][i]['momentum_buffer']
        assert torch.equal(momentum, parameter.grad)
    # past the milestone and the warm-up: a tenth of 0.05
    assert made['optimizer']['param_groups'][0]['lr'] == pytest.approx(0.005)

    distill_cfg.load_from = str(tmp_path / 'new' / 'out.pth')
    runner = run(distill_cfg, resume=True)
    assert (runner.epoch, runner.iter) == (2, 24)
    assert runner.optim_wrapper.get_lr()['lr'] == [pytest.approx(0.005)]
    trained = runner.model.terms.state_dict()
    steps = [
        (trained[k] - v).abs().max()
        for k, v in model.terms.state_dict().items()
    ]
    assert 0 < max(steps) < 0.5  # went on from there


def test_the_schedule_is_where_a_real_run_is(distill_cfg, run):
    import _schedule

    runner = run(distill_cfg)
    expected = [s.state_dict() for s in runner.param_schedulers]
    states, rates = _schedule.schedule_at(distill_cfg, 2, 24)
    for one, two in zip(states, expected, strict=True):
        assert one.pop('_last_value') == pytest.approx(two.pop('_last_value'))
        assert one == two
    assert [rates['lr']] == pytest.approx(runner.optim_wrapper.get_lr()['lr'])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c['state_dict'].pop('student.backbone.conv1.weight'),
         '1 tensors missing: backbone.conv1.weight'),
        (lambda c: c['state_dict'].update({'student.new': torch.zeros(1)}),
         'not in the model: new'),
        (lambda c: c.pop('optimizer'), r"it lacks \['optimizer'\]"),
        (lambda c: c['meta'].pop('iter'), r"it lacks \['iter'\]"),
        (lambda c: c.update(ema_state_dict={}), 'it is of EMAHook'),
        (lambda c: c['optimizer']['param_groups'].append({}),
         'one group of parameters, but got 2'),
        (lambda c: c['optimizer']['state'][0].update(
            momentum_buffer=torch.zeros(3)), "'momentum_buffer' of student."),
        (lambda c: c['state_dict'].pop('distill_losses.loss_mgd_3.generation.'
                                       '0.bias'), 'loss_mgd_3 for loss_mgd.0'),
        (lambda c: c.update(state_dict={
            k.replace('loss_mgd_3', 'low').replace('loss_mgd_4', 'deep'): v
            for k, v in c['state_dict'].items()}),
         r"\['deep', 'low'\], to become one of the config, \['loss_mgd.0'"),
        (lambda c: c.update(state_dict={'backbone.conv1.weight':
                                        torch.zeros(1)}),
         'expected names that begin with'),
        (lambda c: c.pop('state_dict'), "with a 'state_dict'"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit(theirs, config, tmp_path, change, message):
    _, content = theirs
    change(content)
    with pytest.raises(SystemExit, match=message):
        _convert(content, tmp_path, '--config', config, '--resumable')
    assert not (tmp_path / 'new').exists()


def test_connectors_can_be_told(theirs, config, tmp_path):
    model, content = theirs
    content['state_dict'] = {
        k.replace('loss_mgd_3', 'low').replace('loss_mgd_4', 'deep'): v
        for k, v in content['state_dict'].items()
    }
    told = ('--connector', 'low=loss_mgd.0', '--connector', 'deep=loss_mgd.1')
    made = _convert(
        content, tmp_path, '--config', config, '--resumable', *told
    )
    for key, value in model.terms.state_dict().items():
        assert torch.equal(made[SECTION]['state_dict'][key], value)


def test_a_plain_config_cannot_go_on(theirs, tmp_path, classifier_cfg):
    from mmengine.config import Config

    path = tmp_path / 'plain.py'
    Config(dict(default_scope='mmpretrain', model=classifier_cfg())).dump(path)
    with pytest.raises(SystemExit, match='config of an mmmgd.MGDDistill'):
        _convert(theirs[1], tmp_path, '--config', str(path), '--resumable')
