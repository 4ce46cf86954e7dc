"""MMRazor's algorithms, by numbers."""

import os

import mmrazor.models  # noqa: F401  (registers)
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmrazor.registry import MODELS
from torch import nn

CONV = dict(conv=dict(type='ModuleOutputs', source='conv'))
BN = dict(bn=dict(type='ModuleOutputs', source='bn'))


@MODELS.register_module()
class Toy(BaseModel):
    """1x1 convolution, BN, a ReLU in place; its loss is the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        out = self.relu(self.bn(self.conv(inputs)))
        return dict(loss=out.sum()) if mode == 'loss' else out


@MODELS.register_module()
class ToyGenerator(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = 2
        self.linear = nn.Linear(2, 3 * 4)

    @property
    def module(self):
        return self  # DDP's wrapper, which MMRazor expects

    def forward(self, data, batch_size):
        return self.linear(data).reshape(batch_size, 3, 2, 2)


def _mapping(name, source, **connector):
    return {
        name: dict(
            s_feature=dict(recorder=source, from_student=True),
            t_feature=dict(recorder=source, from_student=False, **connector),
        )
    }


def _distiller(recorders=CONV, kind='ConfigurableDistiller', **changes):
    cfg = dict(
        type=kind,
        student_recorders=recorders,
        teacher_recorders=recorders,
        distill_losses=dict(loss_l2=dict(type='L2Loss', normalize=False)),
        loss_forward_mappings=_mapping('loss_l2', next(iter(recorders))),
    )
    cfg.update(changes)
    return cfg


def _build(kind, **kwargs):
    torch.manual_seed(0)
    toy = dict(type='Toy')
    cfg = dict(type=kind, architecture=toy, distiller=_distiller())
    cfg.update(kwargs)
    model = MODELS.build(cfg)
    model.train()
    return model


@pytest.fixture
def images():
    return torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def test_a_feature_before_an_inplace_relu_is_as_it_was(images):
    model = _build(
        'SingleTeacherDistill',
        teacher=dict(type='Toy'),
        distiller=_distiller(BN),
    )
    assert not model.student.relu.inplace and not model.teacher.relu.inplace
    loss = model(images, mode='loss')['distill.loss_l2']
    s = model.student.bn(model.student.conv(images))
    t = model.teacher.bn.eval()(model.teacher.conv(images))
    assert s.min() < 0
    torch.testing.assert_close(loss, ((s - t) ** 2).sum() / 2)


def test_self_distillation(images):
    model = _build(
        'SelfDistill',
        distiller=_distiller(
            teacher_recorders=BN,
            loss_forward_mappings=dict(
                loss_l2=dict(
                    s_feature=dict(recorder='conv', from_student=True),
                    t_feature=dict(recorder='bn', from_student=False),
                )
            ),
        ),
    )
    loss = model(images, mode='loss')['distill.loss_l2']
    conv = model.student.conv(images)
    expected = ((conv - model.student.bn(conv)) ** 2).sum() / 2
    torch.testing.assert_close(loss, expected)


def test_overhaul_of_features(images):
    """The margin is the mean of BN's output where it is negative."""
    model = _build(
        'OverhaulFeatureDistillation',
        teacher=dict(type='Toy'),
        distiller=_distiller(
            BN,
            'OFDDistiller',
            connectors=dict(margin=dict(type='OFDTeacherConnector')),
            distill_losses=dict(loss_l2=dict(type='OFDLoss')),
            loss_forward_mappings=_mapping(
                'loss_l2', 'bn', connector='margin'
            ),
        ),
    )
    margin = model.distiller.connectors['margin'].margin
    normal = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    expected = normal[normal < 0].mean()  # BN begins with weight 1, bias 0
    torch.testing.assert_close(
        margin, expected.expand(1, 4, 1, 1), rtol=1e-2, atol=0
    )
    assert model(images, mode='loss')['distill.loss_l2'] > 0


@pytest.mark.parametrize(
    'kind', ['DataFreeDistillation', 'DAFLDataFreeDistillation']
)
def test_distillation_without_data(kind, images):
    def part(name):
        return _distiller(
            teacher_recorders=dict(
                conv=dict(type='ModuleOutputs', source='one.conv')
            ),
            distill_losses={name: dict(type='L2Loss')},
            loss_forward_mappings=_mapping(name, 'conv'),
        )

    model = _build(
        kind,
        teachers=dict(one=dict(build_cfg=dict(type='Toy'))),
        generator=dict(type='ToyGenerator'),
        distiller=part('loss_dis'),
        generator_distiller=part('loss_gen'),
    )
    optim = dict(
        constructor='mmrazor.SeparateOptimWrapperConstructor',
        architecture=dict(optimizer=dict(type='SGD', lr=0.1)),
        generator=dict(optimizer=dict(type='SGD', lr=0.1)),
    )
    before = {k: v.clone() for k, v in model.state_dict().items()}
    log = model.train_step(
        dict(inputs=list(images), data_samples=[None] * 2),
        build_optim_wrapper(model, optim),
    )
    assert log['distill.loss'] > 0 and log['generator.loss'] > 0
    moved = {
        k.split('.')[0]
        for k, v in model.named_parameters()
        if not torch.equal(v, before[k])
    }
    assert moved == {'architecture', 'generator'}


class _Opens:
    """What a file that runs code would look like."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_teacher_file_runs_no_code(tmp_path):
    torch.manual_seed(1)
    state = MODELS.build(dict(type='Toy')).state_dict()
    path, trap = str(tmp_path / 't.pth'), str(tmp_path / 'trap')
    torch.save(dict(state_dict=state), path)
    teacher = dict(teacher=dict(type='Toy'), teacher_ckpt=path)
    model = _build('SingleTeacherDistill', **teacher)
    assert torch.equal(model.teacher.conv.weight, state['conv.weight'])
    torch.save(dict(state_dict=state, extra=_Opens(trap)), path)
    with pytest.raises(ValueError, match='without running code'):
        _build('SingleTeacherDistill', **teacher)
    assert not os.path.exists(trap)
