import pytest
from mmengine.config import Config
from mmengine.registry import MODELS

from mmmgd.config import (
    DEAD_KEYS,
    check_config,
    read_config,
    student_config,
    whole_model,
)

MGD = dict(
    model=dict(
        type='mmmgd.MGDDistill',
        student=dict(type='mmpretrain.ImageClassifier'),
        teacher=dict(config='t.py'),
        data_preprocessor=dict(mean=[1]),
    ),
    default_hooks=dict(
        distill=dict(type='mmmgd.DistillHook'),
        timer=dict(type='IterTimerHook'),
    ),
)


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize('key', sorted(DEAD_KEYS))
def test_keys_that_mmengine_never_reads_are_refused(key):
    cfg = Config({key: dict(train=1)})
    with pytest.raises(ValueError, match=f"'{key}'.*Write .*instead"):
        check_config(cfg)
    check_config(Config({key: None}))


def test_mmseg_may_name_its_optimizer_before_it_uses_it(tmp_path):
    base = 'mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py'
    path = _write(
        tmp_path / 'c.py',
        f'_base_ = {base!r}\noptim_wrapper = dict(optimizer=dict(lr=0.5))\n',
    )
    cfg = read_config(path)
    assert cfg.optimizer.lr == 0.01  # the variable, read by nobody
    check_config(cfg)


def test_a_distilled_config_without_the_hook_is_refused():
    check_config(Config(MGD))
    with pytest.raises(ValueError, match='Add default_hooks = dict'):
        check_config(Config({'model': MGD['model']}))
    check_config(
        Config(
            dict(
                model=MGD['model'],
                custom_hooks=[dict(type='mmmgd.DistillHook')],
            )
        )
    )


def test_the_student_config_knows_no_teacher():
    cfg = Config(MGD)
    plain = student_config(cfg)
    assert plain.model.type == 'mmpretrain.ImageClassifier'
    assert plain.model.data_preprocessor == dict(mean=[1])
    assert list(plain.default_hooks) == ['timer']
    assert 'teacher' not in plain.pretty_text
    assert cfg.model.type == 'mmmgd.MGDDistill'  # left as it was
    assert student_config(plain) is plain


def test_a_missing_file_is_refused_with_close_names(tmp_path):
    _write(tmp_path / 'retina.py', '')
    with pytest.raises(FileNotFoundError, match='Close names: retina.py'):
        read_config(str(tmp_path / 'retna.py'))


@pytest.mark.parametrize(
    ('base', 'error', 'message'),
    [
        ('mmpretrain::resnet/resnet18_8xb32_in1.py', FileNotFoundError,
         'mmpretrain is installed, but has no config.*resnet18_8xb32_in1k'),
        ('mmpretrian::resnet/resnet18_8xb32_in1k.py', ModuleNotFoundError,
         "'mmpretrian', which is not installed"),
        ('./bsae.py', FileNotFoundError, 'Close names: base.py'),
    ],
)  # fmt: skip
def test_a_missing_base_is_refused(tmp_path, base, error, message):
    _write(tmp_path / 'base.py', '')
    first = _write(tmp_path / 'first.py', f'_base_ = [{base!r}]\n')
    second = _write(tmp_path / 'second.py', "_base_ = 'first.py'\n")
    for config in (first, second):
        with pytest.raises(error, match=message):
            read_config(config)


def test_overrides_are_merged(tmp_path):
    path = _write(tmp_path / 'c.py', 'train_cfg = dict(b=1, c=2)\n')
    assert read_config(path, {'train_cfg.b': 5}).train_cfg == dict(b=5, c=2)


def test_a_teacher_beside_the_config_is_found_from_anywhere(
    tmp_path, monkeypatch
):
    _write(tmp_path / 'configs' / 't.py', '')
    path = _write(
        tmp_path / 'configs' / 'c.py',
        "model = dict(type='mmmgd.MGDDistill', teacher=dict(config='t.py'))\n",
    )
    elsewhere = tmp_path / 'elsewhere'
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    expected = str(tmp_path / 'configs' / 't.py')
    assert read_config(path).model.teacher.config == expected
    # the working folder comes first
    _write(elsewhere / 't.py', '')
    assert read_config(path).model.teacher.config == 't.py'


@pytest.mark.parametrize('through', ['pkg::', 'base', 'base of a base'])
def test_a_config_without_a_scope_speaks_that_of_its_package(
    tmp_path, through
):
    path = 'mmpretrain::dinov2/vit-small-p14_dinov2-pre_headless.py'
    if through != 'pkg::':
        path = _write(tmp_path / 'a.py', f'_base_ = {path!r}\n')
    if through == 'base of a base':
        path = _write(tmp_path / 'b.py', "_base_ = ['a.py']\n")
    cfg = read_config(path)
    assert cfg.model.type == 'ImageClassifier'
    assert cfg.default_scope == 'mmpretrain'


def test_a_written_scope_stays(tmp_path):
    base = 'mmpretrain::dinov2/vit-small-p14_dinov2-pre_headless.py'
    text = f"_base_ = {base!r}\ndefault_scope = 'mmdet'\n"
    assert read_config(_write(tmp_path / 'a.py', text)).default_scope == (
        'mmdet'
    )
    assert 'default_scope' not in read_config(_write(tmp_path / 'b.py', ''))


def test_ours_are_bases_by_the_name_of_the_package(tmp_path):
    """MMEngine's table has only the packages of OpenMMLab."""
    pytest.importorskip('mmpretrain')
    file = tmp_path / 'mine.py'
    file.write_text(
        "_base_ = 'mmmgd::classification/"
        "mgd-channel_resnet34_resnet18_8xb32_in1k.py'\n"
        'model = dict(distill=dict(loss_mgd=dict(loss=dict('
        'loss_weight=1e-5))))\n'
    )
    cfg = read_config(str(file))
    assert cfg.default_scope == 'mmpretrain'
    assert cfg.model.distill.loss_mgd.loss.loss_weight == 1e-5
    assert cfg.model.distill.loss_mgd.connector.mask_ratio == 0.15


def test_parts_of_our_bases_are_built_in_the_scope_of_the_codebase(tmp_path):
    """MMEngine gives what is read from a base the scope of its package."""
    pytest.importorskip('mmpretrain')
    file = tmp_path / 'mine.py'
    file.write_text(
        "_base_ = 'mmmgd::demo/classification_baseline.py'\n"
        'model = dict(_delete_=True, student=_base_.model, more=[_base_.model'
        '])\n'
    )
    cfg = read_config(str(file))
    assert '_scope_' not in cfg.model.student
    assert '_scope_' not in cfg.model.more[0]
    assert cfg.default_scope == 'mmpretrain'


def test_a_model_that_writes_into_its_config_is_built_again():
    """As DETR's head does; `new` builds a student several times."""
    pytest.importorskip('mmdet')
    head = dict(
        type='mmdet.DETRHead',
        num_classes=3,
        embed_dims=8,
        loss_cls=dict(
            type='mmdet.CrossEntropyLoss', bg_cls_weight=0.1, class_weight=1.0
        ),
    )
    cfg = Config(dict(model=head))
    for _ in range(2):
        weights = MODELS.build(whole_model(cfg)).loss_cls.class_weight
        assert weights.tolist() == [1, 1, 1, pytest.approx(0.1)]
    assert cfg.model.loss_cls.class_weight == 1
