"""``python -m mmmgd new``: the config it writes, and what it says."""

from pathlib import Path

import pytest

from mmmgd.__main__ import main
from mmmgd.config import check_config, read_config


def _assert_trains(cfg, run):
    """The config as `new` wrote it goes through a real Runner."""
    runner = run(cfg)
    assert runner.iter == 12
    assert runner.model.teacher.tensors > 50


@pytest.mark.usefixtures('quick_start')
def test_own_data_and_a_checkpoint_that_carries_its_config(
    new, plain, teacher, run
):
    cfg, out = new(plain(), 'wide.pth')
    assert 'Whether the student trains' not in out  # it was tried
    assert 'Classes: not known' in out
    assert 'calibrate my_distill.py' in out
    assert cfg.model.teacher == dict(
        config='my_distill_teacher.py', checkpoint='wide.pth'
    )
    assert cfg.model.distill.loss_mgd.loss.loss_weight == 'auto'
    assert cfg.model.distill.loss_mgd.points == 'backbone.layer4'
    assert main(['inspect', 'my_distill.py']) == 0
    _assert_trains(cfg, run)


def test_a_teacher_by_its_config_its_work_dir_and_its_name(
    new, plain, teacher
):
    student = plain()
    found, _ = new(student, 'wide.py', '--teacher-checkpoint', 'bare.pth')
    by_config = dict(config='wide.py', checkpoint='bare.pth')
    assert found.model.teacher == by_config
    (teacher / 'work').mkdir()
    (teacher / 'wide.py').rename(teacher / 'work/student.py')
    (teacher / 'wide.pth').rename(teacher / 'work/epoch_1.pth')
    (teacher / 'bare.pth').rename(teacher / 'work/best_top1.pth')
    found, _ = new(student, 'work', '--force')
    assert found.model.teacher == dict(
        config='work/student.py', checkpoint='work/best_top1.pth'
    )
    found, _ = new(student, 'resnet34_8xb32_in1k', '--force')
    config = 'mmpretrain::resnet/resnet34_8xb32_in1k.py'
    assert found.model.teacher.config == config
    assert found.model.teacher.checkpoint.endswith('.pth')
    _, err = new(student, 'resnet43_8xb32_in1k', '--force', status=1)
    assert 'Close names: resnet34_8xb32_in1k' in err


def test_weights_that_are_not_there_yet_are_told(new, plain, teacher):
    words = plain(), 'wide.py', '--teacher-checkpoint'
    _, out = new(*words, 'none.pth')
    assert 'there is no none.pth yet' in out
    assert 'resize' not in out
    _, out = new(*words, 'wide.pth', '--force')
    assert 'there is no' not in out


def test_a_config_in_another_folder_finds_its_base(new, plain, teacher):
    student = plain()
    out = ('-o', 'deep/er/mine.py')
    words = ['new', str(student), '--teacher', 'wide.pth', *out]
    assert main(words) == 0
    cfg = read_config('deep/er/mine.py')
    assert Path(cfg.model.teacher.config).name == 'mine_teacher.py'
    assert "_base_ = '../../plain.py'" in Path('deep/er/mine.py').read_text()
    assert main(['inspect', 'deep/er/mine.py']) == 0


OWN = """
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS


@MODELS.register_module(force=True)
class Mine(ImageClassifier):
    pass
"""


@pytest.mark.usefixtures('quick_start')
def test_own_modules_come_by_custom_imports(
    new, plain, teacher, run, monkeypatch
):
    (teacher / 'my_models.py').write_text(OWN)
    monkeypatch.syspath_prepend(str(teacher))
    student = plain(
        custom_imports=dict(imports=['my_models']),
        **{'model.type': 'mmpretrain.Mine'},
    )
    cfg, out = new(student, 'wide.pth')
    assert 'Mine with ResNet_CIFAR' in out
    _assert_trains(cfg, run)


def test_a_student_in_the_newer_style_of_configs(new, plain, teacher):
    """It cannot be the base of the older style, so it is written flat."""
    text = plain().read_text()
    text = text.replace("'mmpretrain.ImageClassifier'", 'ImageClassifier')
    line = 'from mmpretrain.models import ImageClassifier\n'
    (teacher / 'lazy.py').write_text(line + text)
    cfg, _ = new('lazy.py', 'wide.pth')
    assert "_base_ = 'my_distill_student.py'" in (
        Path('my_distill.py').read_text()
    )
    assert cfg.model.student.type.endswith('ImageClassifier')
    assert main(['inspect', 'my_distill.py']) == 0


def test_methods_and_points_of_ones_own(new, plain, teacher):
    student = plain()
    points = ('--points', 'backbone.layer2', 'backbone.layer3=backbone.layer3')
    cfg, _ = new(student, 'wide.pth', '--method', 'imitate', *points)
    term = cfg.model.distill.loss_mgd
    assert term.points == ['backbone.layer2', 'backbone.layer3']
    assert term.connector == dict(type='mmmgd.AlignConnector')
    assert 'imitation bears more than MGD' in Path(cfg.filename).read_text()
    points = ('--points', 'backbone.layer3=backbone.layer33')
    _, err = new(student, 'wide.pth', '--force', *points, status=1)
    assert "Close names: 'backbone.layer3'" in err


def test_a_teacher_with_the_students_classes_and_with_others(
    new, plain, teacher
):
    key = 'train_dataloader.dataset.classes'
    _, out = new(plain(**{key: list('abcd')}), 'wide.pth')
    assert 'Classes: the same in both' in out
    _, out = new(plain(**{key: list('dcba')}), 'wide.pth', '--force')
    assert 'Classes: others in the teacher' in out


def test_a_key_that_nobody_reads_is_told_and_unset(new, plain, teacher):
    """The student states `runner`, as configs of LRASPP do."""
    runner = dict(type='IterBasedRunner', max_iters=320000)
    cfg, said = new(plain(runner=runner), 'wide.pth')
    assert cfg.runner is None
    check_config(cfg)
    assert "What the student's `runner` is meant to do" in ' '.join(
        said.split()
    )


def test_a_clip_of_none_is_replaced(new, plain, teacher):
    """The student states `clip_grad=None`, as ConvNeXt's config does."""
    cfg, _ = new(plain(**{'optim_wrapper.clip_grad': None}), 'wide.pth')
    assert cfg.optim_wrapper.clip_grad == dict(max_norm=5.0, norm_type=2)


def test_other_strides_get_a_resize(new, plain, teacher):
    """Another stride at each stage, and none of the teacher's."""
    student = plain(**{'model.backbone.strides': (3, 3, 3, 1)})
    cfg, _ = new(student, 'wide.pth')
    assert cfg.model.distill.loss_mgd.resize == 'teacher'


@pytest.mark.usefixtures('quick_start')
def test_evaluate_measures_both_and_warns_of_a_bad_teacher(
    new, runner_cfg, classifier_cfg, run, tmp_path
):
    """The student has trained, the teacher has not, then the contrary."""
    runners = {}
    for name, width, epochs in (('s', 4, 3), ('t', 6, 1)):
        cfg = runner_cfg(classifier_cfg(width), epochs)
        cfg.work_dir = str(tmp_path / name)
        cfg.optim_wrapper.optimizer.lr = 0.05 if name == 's' else 0.0
        cfg.dump(str(tmp_path / f'{name}.py'))
        runners[name] = run(cfg)
    value = {
        name: runner.message_hub.get_scalar('val/accuracy/top1').current()
        for name, runner in runners.items()
    }
    assert value['s'] > value['t']
    files = {name: f'{name}/epoch_{n}.pth' for name, n in (('s', 3), ('t', 1))}
    for student, teacher in ('st', 'ts'):
        _, out = new(
            f'{student}.py', files[teacher], '--force', '--evaluate',
            '--student-checkpoint', files[student],
        )  # fmt: skip
        found = (
            f'student alone {value[student]:.4g}, teacher '
            f'{value[teacher]:.4g}.'
        )
        assert f'Measured (accuracy/top1): {found}' in out
        warned = 'WARNING: the teacher is no better' in out
        assert warned == (student == 's')
    text = Path('my_distill.py').read_text()
    assert '# Measured (accuracy/top1)' in text
    _, err = new('s.py', files['t'], '--force', '--evaluate', status=1)
    assert '--student-checkpoint FILE' in err
    _, err = new(
        's.py', files['t'], '--force', '--evaluate',
        '--student-checkpoint', files['t'], status=1,
    )  # fmt: skip
    assert 'does not fit the config of the model' in err
