import copy

import pytest
import torch

from mmmgd.config import read_config
from mmmgd.models import Teacher

POINT = 'backbone.layer4'


def _save(model, path, change=lambda state: state):
    torch.save({'state_dict': change(dict(model.state_dict()))}, path)
    return str(path)


def _teacher(cfg, checkpoint=False, points=(POINT,)):
    return Teacher(cfg, checkpoint, points)


def test_features_are_those_of_the_model_in_the_file(
    classifier_cfg, build, batch, tmp_path
):
    model = build(classifier_cfg()).eval()
    path = _save(model, tmp_path / 'x.pth')
    teacher = _teacher(classifier_cfg(), path)
    teacher.load()
    with torch.no_grad():
        expected = model.backbone(batch[0])[0]
    assert torch.equal(teacher.extract(batch[0])[POINT], expected)


def test_it_stays_in_eval_and_repeats_itself(classifier_cfg, batch):
    teacher = _teacher(classifier_cfg())  # has drop-path and dropout
    teacher.load()
    before = copy.deepcopy(teacher.module.state_dict())
    features = [teacher.extract(batch[0])[POINT] for _ in range(10)]
    assert all(torch.equal(features[0], f) for f in features)
    assert not any(m.training for m in teacher.module.modules())
    assert not any(p.requires_grad for p in teacher.module.parameters())
    assert not features[0].requires_grad
    for key, value in teacher.module.state_dict().items():
        assert torch.equal(value, before[key])  # BN statistics


def test_nothing_after_the_deepest_point_runs(classifier_cfg, batch):
    teacher = _teacher(classifier_cfg(), points=['backbone.layer2'])
    teacher.load()
    ran = []
    for name, module in teacher.module.named_modules():
        module.register_forward_hook(lambda *_, n=name: ran.append(n))
    for _ in range(10):
        teacher.extract(batch[0])
    assert ran.count('backbone.layer2') == 10
    assert not [
        n for n in ran if n.startswith(('backbone.layer3', 'neck', 'head'))
    ]


def test_building_it_draws_no_global_random_numbers(classifier_cfg):
    state = torch.get_rng_state()
    _teacher(classifier_cfg())
    assert torch.equal(torch.get_rng_state(), state)


def test_copies_share_it(classifier_cfg):
    teacher = _teacher(classifier_cfg())
    assert copy.deepcopy(teacher) is teacher


def test_the_four_forms_of_config(classifier_cfg, tmp_path, monkeypatch):
    file = tmp_path / 'sub' / 'teacher.py'
    file.parent.mkdir()
    file.write_text(f'model = {classifier_cfg()!r}\n')
    monkeypatch.chdir(tmp_path)
    forms = [
        classifier_cfg(),
        dict(model=classifier_cfg(), default_scope='mmpretrain'),
        str(file),
        'sub/teacher.py',
    ]
    teachers = [_teacher(f) for f in forms]
    state = teachers[0].module.state_dict()
    for teacher in teachers[1:]:
        assert list(teacher.module.state_dict()) == list(state)
    package = _teacher('mmpretrain::resnet/resnet18_8xb32_in1k.py')
    assert package.shapes == {POINT: (1, 512, 7, 7)}


@pytest.mark.parametrize(
    'prefix', ['', 'module.', 'student.', 'architecture.']
)
def test_prefixed_files_load(classifier_cfg, build, tmp_path, prefix):
    model = build(classifier_cfg(), seed=4)
    path = _save(
        model,
        tmp_path / 'x.pth',
        lambda state: {prefix + k: v for k, v in state.items()},
    )
    teacher = _teacher(classifier_cfg(), path)
    teacher.load()
    for key, value in teacher.module.backbone.state_dict().items():
        assert torch.equal(value, model.backbone.state_dict()[key])


def test_a_head_that_never_runs_may_differ_or_be_missing(
    classifier_cfg, build, tmp_path
):
    other = build(classifier_cfg(classes=77))
    path = _save(other, tmp_path / 'x.pth')
    _teacher(classifier_cfg(), path).load()
    path = _save(
        other,
        tmp_path / 'y.pth',
        lambda s: {k: v for k, v in s.items() if not k.startswith('head')},
    )
    _teacher(classifier_cfg(), path).load()


def test_a_head_that_runs_must_fit(classifier_cfg, build, tmp_path):
    path = _save(build(classifier_cfg(classes=77)), tmp_path / 'x.pth')
    teacher = _teacher(classifier_cfg(), path, ['head'])
    with pytest.raises(ValueError, match='size mismatch for head.*77'):
        teacher.load()


def _without(key):
    def change(state):
        del state[key]
        return state

    return change


def test_a_tensor_that_lacks_is_named(classifier_cfg, build, tmp_path):
    key = 'backbone.layer3.1.conv2.weight'
    model = build(classifier_cfg())
    path = _save(model, tmp_path / 'x.pth', _without(key))
    with pytest.raises(ValueError, match=f'missing: {key}'):
        _teacher(classifier_cfg(), path).load()
    # after the deepest point it does not matter
    _teacher(classifier_cfg(), path, ['backbone.layer2']).load()


def test_the_batch_counter_of_bn_may_lack(classifier_cfg, build, tmp_path):
    model = build(classifier_cfg())
    path = _save(
        model,
        tmp_path / 'x.pth',
        lambda s: {k: v for k, v in s.items() if 'num_batches' not in k},
    )
    _teacher(classifier_cfg(), path).load()


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        (dict(width=5), 'size mismatch'),
        # has all that a ResNet-18 has, in the same shapes, and more
        (dict(depth=34), 'not in the model: backbone.layer1.2'),
    ],
    ids=['wider', 'deeper'],
)
def test_a_file_of_another_architecture_is_refused(
    classifier_cfg, build, tmp_path, other, message
):
    path = _save(build(classifier_cfg(**other)), tmp_path / 'x.pth')
    with pytest.raises(ValueError, match=message):
        _teacher(classifier_cfg(), path).load()


def test_missing_and_truncated_files_are_refused(
    classifier_cfg, build, tmp_path
):
    with pytest.raises(FileNotFoundError, match='no such file'):
        _teacher(classifier_cfg(), str(tmp_path / 'no.pth')).load()
    path = _save(build(classifier_cfg()), tmp_path / 'x.pth')
    with open(path, 'r+b') as file:
        file.truncate(2000)
    with pytest.raises(ValueError, match='truncated or damaged'):
        _teacher(classifier_cfg(), path).load()


def test_published_weights_are_found_by_the_package():
    teacher = Teacher(
        'mmpretrain::resnet/resnet34_8xb32_in1k.py', None, [POINT]
    )
    assert teacher.checkpoint.startswith('https://')
    assert 'resnet34_8xb32_in1k' in teacher.checkpoint


@pytest.mark.parametrize(
    ('config', 'checkpoint', 'error', 'message'),
    [
        ('mmpretrain::resnet/resnet34_8xb32_in1.py', None,
         FileNotFoundError, 'Close names:.*resnet34_8xb32_in1k'),
        ('mmyolo::x.py', None, ModuleNotFoundError, 'mmmgd doctor'),
        ('nowhere.py', False, FileNotFoundError, 'no such file'),
        (dict(type='x'), None, ValueError, 'Name a path or a URL'),
        (dict(type='x'), True, ValueError, 'but got True'),
        ('mmpretrain::_base_/default_runtime.py', None,
         ValueError, 'publishes no weights'),
    ],
)  # fmt: skip
def test_a_teacher_that_cannot_be_is_refused(
    config, checkpoint, error, message
):
    with pytest.raises(error, match=message):
        Teacher(config, checkpoint, [POINT])


def test_it_does_not_teach_without_weights(classifier_cfg, batch):
    with pytest.raises(RuntimeError, match='init_weights'):
        _teacher(classifier_cfg()).extract(batch[0])


def _dino():
    """A small DINO. Its root owns ``level_embed``, which nothing fills."""
    model = read_config('mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py').model
    model.backbone.update(depth=18, base_channels=8)
    model.neck.in_channels = [16, 32, 64]
    model.num_queries = 5
    model.encoder.num_layers = model.decoder.num_layers = 1
    return dict(model=model, default_scope='mmdet')


def test_random_weights_are_those_before_training():
    """Not what was in the memory: upstream fills some in init_weights."""
    teachers = [_teacher(_dino(), points=['neck[0]']) for _ in range(2)]
    state = torch.get_rng_state()
    for teacher, rubbish in zip(teachers, (float('nan'), 7.0), strict=True):
        teacher.module.level_embed.fill_(rubbish)
        teacher.load()
    assert torch.equal(torch.get_rng_state(), state)
    first, second = (t.module.state_dict() for t in teachers)
    assert first['level_embed'].std() > 0.5
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_random_weights_are_not_downloaded(monkeypatch):
    """Neither by an ``init_cfg`` nor by Swin's own ``init_weights``."""
    name = 'mmdet::swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py'
    model = read_config(name).model
    assert model.backbone.init_cfg.checkpoint.startswith('https://')
    model.backbone.depths = [1, 1, 1, 1]
    monkeypatch.setattr('torch.hub.load_state_dict_from_url', pytest.fail)
    monkeypatch.setattr(
        'mmengine.runner.checkpoint.CheckpointLoader.load_checkpoint',
        pytest.fail,
    )
    cfg = dict(model=model, default_scope='mmdet')
    _teacher(cfg, points=['neck[0]']).load()


def test_a_tensor_of_the_model_itself_is_loaded(tmp_path):
    teacher = _teacher(_dino(), points=['neck[0]'])
    teacher.load()
    path = _save(teacher.module, tmp_path / 'x.pth')
    again = _teacher(_dino(), path, points=['neck[0]'])
    again.load()
    expected = teacher.module.level_embed
    assert torch.equal(again.module.level_embed, expected)
