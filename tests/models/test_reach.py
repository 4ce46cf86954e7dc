"""Pairs of other layouts and sizes, and several teachers, on real models."""

import copy

import pytest
import torch
from mmengine.registry import MODELS

VIT = dict(
    type='mmpretrain.ImageClassifier',
    backbone=dict(
        type='VisionTransformer',
        arch=dict(
            embed_dims=24, num_layers=3, num_heads=2,
            feedforward_channels=48,
        ),
        img_size=32,
        patch_size=8,
    ),
    head=None,
    data_preprocessor=dict(
        type='ClsDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3
    ),
)  # fmt: skip


def _vit(**backbone):
    cfg = copy.deepcopy(VIT)
    cfg['backbone'].update(backbone)
    return cfg


def _losses(model, images, samples):
    with torch.no_grad():
        return model(images, samples, mode='loss')


@pytest.fixture
def vit_taught(distiller_cfg):
    """A student of stride 8 whose teacher has tokens of 8x8 pixels."""
    cfg = distiller_cfg(teacher=dict(config=_vit(), checkpoint=False))
    cfg['distill']['loss_mgd']['points'] = dict(
        student='backbone.layer4', teacher='backbone.layers.2'
    )
    return cfg


def test_token_mgd_is_map_mgd_on_the_reshaped_map(vit_taught, build, batch):
    model = build(vit_taught).double()
    images, samples = batch[0].double(), batch[1]
    ours = _losses(model, images, samples)['loss_mgd']
    connector = model.terms['loss_mgd'].connectors[0]
    connector.mask_stream.draws = 0
    backbone = model.teacher.module.backbone
    seen = {}
    backbone.layers[2].register_forward_hook(
        lambda module, args, output: seen.update(tokens=output)
    )
    with torch.no_grad():
        backbone(images)
        tokens = seen['tokens']
        assert tokens.shape == (4, 17, 24)  # a class token and 4 x 4
        target = tokens[:, 1:].reshape(4, 4, 4, 24).permute(0, 3, 1, 2)
        student = model.student.backbone(images)[0]
        error = connector(student) - target
    expected = 1e-3 * error.square().sum() / 4
    torch.testing.assert_close(ours, expected, rtol=1e-12, atol=0)


def test_prefix_tokens_never_enter_the_loss(vit_taught, build, batch):
    """Other class tokens at the last layer, the same loss."""
    model = build(vit_taught)
    last = model.teacher.module.backbone.layers[2]
    stream = model.terms['loss_mgd'].connectors[0].mask_stream

    def change(number):
        def hook(module, args, output):
            return torch.cat([output[:, :1] + number, output[:, 1:]], dim=1)

        stream.draws = 0
        handle = last.register_forward_hook(hook, prepend=True)
        loss = _losses(model, *batch)['loss_mgd']
        handle.remove()
        return loss

    assert torch.equal(change(0.0), change(1e6))


def test_tokens_on_both_sides(distiller_cfg, build, batch):
    head = dict(
        type='VisionTransformerClsHead', num_classes=10, in_channels=24
    )
    student = {**_vit(), 'head': head}
    cfg = distiller_cfg(
        student=student,
        teacher=dict(config=_vit(patch_size=16), checkpoint=False),
    )
    cfg['distill']['loss_mgd'].update(
        points='backbone.layers.1', resize='teacher'
    )
    model = build(cfg)
    losses = model(*batch, mode='loss')
    losses['loss_mgd'].backward()
    grad = model.student.backbone.patch_embed.projection.weight.grad
    assert grad.abs().sum() > 0 and losses['loss_mgd'].isfinite()


def test_a_class_token_alone_is_refused(vit_taught):
    points = vit_taught['distill']['loss_mgd']['points']
    points['teacher'] = 'backbone'
    with pytest.raises(ValueError, match=r"'backbone' is \(1, 24\) \(N, C\)"):
        MODELS.build(vit_taught)


def test_a_token_count_that_fits_no_grid_is_named(vit_taught):
    points = vit_taught['distill']['loss_mgd']['points']
    points['teacher'] = dict(point='backbone.layers.2', tokens=dict(prefix=3))
    with pytest.raises(ValueError, match="'backbone.layers.2': tokens=.*fit"):
        MODELS.build(vit_taught)


def test_channels_last_equals_channels_first(distiller_cfg, build, batch):
    """The same maps through an outer module that moves the channels."""
    from torch import nn

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Conv2d(3, 48, 3, stride=8, padding=1)
            self.norm = nn.LayerNorm(48)

        def forward(self, x):
            return self.norm(self.body(x).permute(0, 2, 3, 1))

    class First(Last):
        def __init__(self):
            super().__init__()
            self.out = nn.Identity()

        def forward(self, x):
            return self.out(super().forward(x).permute(0, 3, 1, 2))

    losses = []
    for module, point in ((Last, 'norm'), (First, 'out')):
        cfg = distiller_cfg(
            teacher=dict(config=dict(type=module), checkpoint=False)
        )
        cfg['distill']['loss_mgd']['points'] = dict(
            student='backbone.layer4', teacher=point
        )
        losses.append(_losses(build(cfg), *batch)['loss_mgd'])
    assert torch.equal(*losses)


@pytest.mark.parametrize('resize', ['student', 'teacher'])
def test_other_strides_need_a_resize(distiller_cfg, build, batch, resize):
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd'].update(
        points=dict(student='backbone.layer3', teacher='backbone.layer4'),
        resize=resize,
        connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.5),
    )
    model = build(cfg)
    drawn = []
    connector = model.terms['loss_mgd'].connectors[0]
    draw = connector.draw_mask
    connector.draw_mask = lambda *a: drawn.append(draw(*a)) or drawn[0]
    loss = model(*batch, mode='loss')['loss_mgd']
    loss.backward()
    # the mask has the size at which the two are compared
    expected = (4, 4) if resize == 'student' else (8, 8)
    assert drawn[0].shape[2:] == expected
    assert model.student.backbone.conv1.weight.grad.abs().sum() > 0


def test_patches_of_14_against_a_stride_of_8(distiller_cfg, build, batch):
    teacher = dict(
        config=_vit(patch_size=14, img_size=28), checkpoint=False,
        multiple_of=14,
    )  # fmt: skip
    cfg = distiller_cfg(teacher=teacher)
    cfg['distill']['loss_mgd'].update(
        points=dict(student='backbone.layer4', teacher='backbone.layers.2'),
        resize='teacher',
    )
    model = build(cfg)
    loss = model(*batch, mode='loss')['loss_mgd']
    loss.backward()
    assert model.student.backbone.conv1.weight.grad.abs().sum() > 0
    assert loss.isfinite()


def test_an_own_size_of_the_teacher(distiller_cfg, build, batch):
    """At 64 pixels its stride of 16 gives the student's grid."""
    cfg = distiller_cfg(
        teacher=dict(
            config=_vit(patch_size=16), checkpoint=False, input_size=64
        ),
        image_size=32,
    )
    cfg['distill']['loss_mgd']['points'] = dict(
        student='backbone.layer4', teacher='backbone.layers.2'
    )
    assert _losses(build(cfg), *batch)['loss_mgd'] > 0


def _two(distiller_cfg, classifier_cfg):
    """Two teachers, an entry for each; and each entry alone."""
    one = distiller_cfg()['distill']['loss_mgd']
    cfgs = {
        'a': dict(config=classifier_cfg(width=6), checkpoint=False),
        'b': dict(config=_vit(), checkpoint=False),
    }
    entries = {
        'loss_a': dict(copy.deepcopy(one), teacher='a'),
        'loss_b': dict(
            copy.deepcopy(one),
            teacher='b',
            points=dict(
                student='backbone.layer4', teacher='backbone.layers.2'
            ),
        ),
    }
    both = distiller_cfg(teacher=cfgs, distill=entries)
    single = {}
    for name in cfgs:
        entry = {k: v for k, v in entries[f'loss_{name}'].items()}
        del entry['teacher']
        single[name] = distiller_cfg(
            teacher=cfgs[name], distill={f'loss_{name}': entry}
        )
    return both, single


def test_two_teachers_give_the_sum_of_two_runs(
    distiller_cfg, classifier_cfg, build, batch
):
    both, single = _two(distiller_cfg, classifier_cfg)
    model = build(both).eval()
    losses = _losses(model, *batch)
    total = sum(losses[f'loss_{name}'] for name in single)
    expected = 0
    for name, cfg in single.items():
        alone = build(cfg).eval()
        alone.load_state_dict(
            {k: v for k, v in model.state_dict().items() if f'_{name}.' in k
             or k.startswith('student.')}
        )  # fmt: skip
        mine = alone.terms[f'loss_{name}'].connectors[0].mask_stream
        seed = model.terms[f'loss_{name}'].connectors[0].mask_stream.seed
        mine.seed = seed
        expected += _losses(alone, *batch)[f'loss_{name}']
    torch.testing.assert_close(total, expected, rtol=1e-6, atol=0)


def test_each_teacher_is_freed_on_its_own(
    distiller_cfg, classifier_cfg, build, batch
):
    both, _ = _two(distiller_cfg, classifier_cfg)
    both['distill']['loss_a']['until'] = 2
    model = build(both)
    model.set_position(2)
    assert [t.loaded for t in model.teachers.values()] == [False, True]
    losses = _losses(model, *batch)
    assert losses['loss_a'] == 0 and losses['loss_b'] > 0


def test_of_two_teachers_the_one_without_a_file_is_named(
    distiller_cfg, classifier_cfg
):
    both, _ = _two(distiller_cfg, classifier_cfg)
    both['teacher']['b']['checkpoint'] = 'nowhere/b.pth'
    with pytest.raises(FileNotFoundError, match='nowhere/b.pth'):
        MODELS.build(both).init_weights()


def test_each_teacher_gets_its_own_input(
    distiller_cfg, classifier_cfg, build, batch
):
    both, _ = _two(distiller_cfg, classifier_cfg)
    raw = dict(type='ClsDataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3)
    both['teacher']['b']['config']['data_preprocessor'] = raw
    model = build(both)
    seen = {}
    for name, teacher in model.teachers.items():
        teacher.module.register_forward_pre_hook(
            lambda m, args, n=name: seen.update({n: args[0]})
        )
    _losses(model, *batch)
    assert torch.equal(seen['a'], batch[0])
    expected = (batch[0] * 127.5 + 127.5) / 255
    torch.testing.assert_close(seen['b'], expected)


def test_inheriting_from_one_of_two(distiller_cfg, classifier_cfg, build):
    both, _ = _two(distiller_cfg, classifier_cfg)
    both['teacher']['a']['config'] = classifier_cfg()
    both['inherit'] = dict(a=['backbone.layer4'])
    model = build(both)
    theirs = model.teachers['a'].module.backbone.layer4.state_dict()
    for key, value in model.student.backbone.layer4.state_dict().items():
        assert torch.equal(value, theirs[key])


BAD = {
    'which of two': (
        lambda c: c['distill']['loss_a'].pop('teacher'),
        r"one of \['a', 'b'\], but it says none. Write teacher='a'"),
    'none of two': (
        lambda c: c['distill']['loss_a'].update(teacher='c'), "got 'c'"),
    'one that nobody asks': (
        lambda c: c['distill']['loss_b'].update(teacher='a'),
        "distill` with teacher='b', but there is none"),
    'a key that no teacher has': (
        lambda c: c['teacher']['b'].update(input_sizes=3),
        "in teacher.b, but got 'input_sizes'. Did you mean 'input_size'"),
    'inherit from whom': (
        lambda c: c.update(inherit=['head']),
        r"Write inherit=dict\(a=\['head'\]\)"),
    'inherit from nobody': (
        lambda c: c.update(inherit=dict(c=['head'])), "but got 'c'"),
    'resize of no side': (
        lambda c: c['distill']['loss_a'].update(resize='both'), "'both'"),
    'a layout that is none': (
        lambda c: c['distill']['loss_a'].update(
            points=dict(point='backbone.layer4', layout='NLC')), "'NLC'"),
    'tokens without a number': (
        lambda c: c['distill']['loss_a'].update(
            points=dict(point='backbone.layer4', tokens=1)), 'prefix=1'),
    'an image without a size': (
        lambda c: c.update(image_size='big'), "image_size.*'big'"),
    'an input without a size': (
        lambda c: c['teacher']['b'].update(input_size=-1), 'input_size.*-1'),
    'two input sizes': (
        lambda c: c['teacher']['b'].update(input_size=32, multiple_of=8),
        'got both'),
    'gray': (
        lambda c: c['teacher']['b']['config']['backbone'].update(
            in_channels=1) or c['teacher']['b']['config'].pop(
                'data_preprocessor'),
        'images of 3 channels, the teacher .* of 1'),
}  # fmt: skip


@pytest.mark.parametrize('case', BAD)
def test_bad_input_is_refused(distiller_cfg, classifier_cfg, case):
    change, message = BAD[case]
    both, _ = _two(distiller_cfg, classifier_cfg)
    change(both)
    with pytest.raises((ValueError, RuntimeError), match=message):
        MODELS.build(both)


def test_a_named_teacher_where_there_is_one_without_a_name(distiller_cfg):
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd']['teacher'] = 'a'
    with pytest.raises(ValueError, match=r'teacher=dict\(a=dict\(config'):
        MODELS.build(cfg)


def test_a_fixed_size_of_the_teacher_that_is_not_met(distiller_cfg):
    """As of SimMIM's and of many other people's transformers."""
    from torch import nn

    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Conv2d(3, 4, 8, stride=8)

        def forward(self, x):
            assert x.shape[-2:] == (48, 48), 'only 48x48'
            return self.body(x)

    cfg = distiller_cfg(
        teacher=dict(config=dict(type=Fixed), checkpoint=False),
        image_size=32,
    )
    cfg['distill']['loss_mgd']['points'] = dict(
        student='backbone.layer4', teacher='body'
    )
    message = r'(?s)teacher failed on a 32x32.*only 48x48.*input_size='
    with pytest.raises(RuntimeError, match=message):
        MODELS.build(cfg)
    cfg['teacher']['input_size'] = 48
    cfg['distill']['loss_mgd']['resize'] = 'teacher'
    assert MODELS.build(cfg).teacher.shapes == {'body': (1, 4, 6, 6)}
