"""``python -m mmmgd new``: the config it writes, and what it refuses."""

from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS

from mmmgd.__main__ import main
from mmmgd.config import check_config, read_config

ROOT = Path(__file__).parents[2] / 'configs'
R18, R34, R50 = (
    f'mmpretrain::resnet/resnet{d}_8xb32_in1k.py' for d in (18, 34, 50)
)
MOBILENET = str(ROOT / 'classification/mobilenet-v1_8xb32_in1k.py')
CASCADE = 'mmdet::dcn/cascade-mask-rcnn_x101-32x4d-dconv-c3-c5_fpn_1x_coco.py'
REPPOINTS = 'mmdet::reppoints/reppoints-moment_{}_fpn-gn_head-gn_2x_coco.py'
SOLO_TEACHER = str(ROOT / 'instance_segmentation/solo_r101_fpn_3x_coco.py')
PSPNET = 'mmseg::pspnet/pspnet_r101-d8_4xb2-40k_cityscapes-512x1024.py'
CITY = '_r18-d8_8xb2-40k_cityscapes-512x512.py'
CITY_MGD = '-r18_40k_cityscapes-512x512.py'

# The paper's pairs: the shipped config, and what a user would type.
PAPER = {
    'classification/mgd-channel_resnet34_resnet18_8xb32_in1k.py': (R18, R34),
    'classification/mgd-spatial_resnet34_resnet18_8xb32_in1k.py': (
        R18, R34, '--method', 'mgd-spatial'),
    'classification/mgd-channel-wsld_resnet34_resnet18_8xb32_in1k.py': (
        R18, R34, '--method', 'mgd+logits'),
    'classification/mimic_resnet34_resnet18_8xb32_in1k.py': (
        R18, R34, '--method', 'imitate'),
    'classification/mgd-channel_resnet50_mobilenet-v1_8xb32_in1k.py': (
        MOBILENET, R50),
    'classification/mgd-channel_resnet18_resnet18_8xb32_in1k.py': (R18, R18),
    'detection/mgd_retinanet-x101_retinanet-r50_2x_coco.py': (
        'mmdet::retinanet/retinanet_r50_fpn_2x_coco.py',
        'mmdet::retinanet/retinanet_x101-64x4d_fpn_1x_coco.py'),
    'detection/mgd_cascade-mask-rcnn-x101_faster-rcnn-r50_2x_coco.py': (
        'mmdet::faster_rcnn/faster-rcnn_r50_fpn_2x_coco.py', CASCADE),
    'detection/mgd_reppoints-x101_reppoints-r50_2x_coco.py': (
        REPPOINTS.format('r50'), REPPOINTS.format('x101-dconv-c3-c5')),
    'instance_segmentation/mgd_solo-r101_solo-r50_1x_coco.py': (
        'mmdet::solo/solo_r50_fpn_1x_coco.py', SOLO_TEACHER,
        '--teacher-checkpoint', 'checkpoints/solo_r101_fpn_3x_coco.pth'),
    'instance_segmentation/'
    'mgd_cascade-mask-rcnn-x101_mask-rcnn-r50_2x_coco.py': (
        'mmdet::mask_rcnn/mask-rcnn_r50_fpn_2x_coco.py', CASCADE),
    f'semantic_segmentation/mgd_pspnet-r101_pspnet{CITY_MGD}': (
        str(ROOT / f'semantic_segmentation/pspnet{CITY}'), PSPNET),
    f'semantic_segmentation/mgd_pspnet-r101_deeplabv3{CITY_MGD}': (
        str(ROOT / f'semantic_segmentation/deeplabv3{CITY}'), PSPNET),
    f'semantic_segmentation/mgd-cwd_pspnet-r101_pspnet{CITY_MGD}': (
        str(ROOT / f'semantic_segmentation/pspnet{CITY}'), PSPNET,
        '--method', 'mgd+logits'),
}  # fmt: skip


@pytest.fixture
def new(capsys, tmp_path, monkeypatch):
    """Run the command in an empty folder; return config and words."""
    monkeypatch.chdir(tmp_path)

    def _new(student, teacher, *argv, status=0):
        words = ['new', str(student), '--teacher', str(teacher), *argv]
        if status:
            with pytest.raises(SystemExit) as error:
                main(words)
            return None, str(error.value)
        assert main(words) == 0
        return read_config('my_distill.py'), capsys.readouterr().out

    return _new


@pytest.mark.parametrize('name', PAPER)
def test_the_papers_pairs_get_the_papers_recipe(name, new):
    """Points, mask, λ, α, clip, inheritance and logits."""
    student, teacher, *options = PAPER[name]
    found, _ = new(student, teacher, '--no-data', *options)
    check_config(found)
    shipped = read_config(str(ROOT / name))
    assert found.model.student == shipped.model.student
    assert found.model.distill == shipped.model.distill
    assert found.model.get('inherit', []) == shipped.model.get('inherit', [])
    assert found.optim_wrapper == shipped.optim_wrapper
    assert found.default_hooks == shipped.default_hooks
    if 'solo' not in name:  # a path there
        assert found.model.teacher == shipped.model.teacher
    assert len(Path('my_distill.py').read_text().splitlines()) < 50


@pytest.fixture
def plain(runner_cfg, classifier_cfg, tmp_path):
    """A user's own config of a small classifier, and its images."""

    def _plain(name='plain.py', width=4, **changes):
        cfg = runner_cfg(classifier_cfg(width))
        cfg.merge_from_dict(changes)
        cfg.dump(str(tmp_path / name))
        return tmp_path / name

    return _plain


@pytest.fixture
def teacher(runner_cfg, classifier_cfg, tmp_path):
    """A wider model of the user's: its config, and a checkpoint with it."""
    cfg = runner_cfg(classifier_cfg(width=6))
    cfg.dump(str(tmp_path / 'wide.py'))
    torch.manual_seed(1)
    state = MODELS.build(cfg.model).state_dict()
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=tuple('abcd')))
    torch.save(dict(meta=meta, state_dict=state), tmp_path / 'wide.pth')
    torch.save(state, tmp_path / 'bare.pth')
    return tmp_path


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


def test_nothing_is_overwritten_without_force(new, plain, teacher):
    student = plain()
    Path('my_distill.py').write_text('# work of mine')
    _, err = new(student, 'wide.pth', status=1)
    assert 'my_distill.py exists' in err and '--force' in err
    assert Path('my_distill.py').read_text() == '# work of mine'
    assert not Path('my_distill_teacher.py').exists()
    new(student, 'wide.pth', '--force')


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


@pytest.mark.parametrize(
    ('student', 'teacher_', 'words'),
    [
        ('nowhere.py', 'wide.pth', ['nowhere.py', 'Close names']),
        ('plain.py', 'bare.pth', ['does not carry the config']),
        ('plain.py', 'wide.py', ["the teacher's `checkpoint`"]),
        ('plain.py', 'empty', ['Expected student.py in the work dir']),
        ('mgd.py', 'wide.pth', ['trains with a teacher already']),
        ('nothing.py', 'wide.pth', ['Expected a `model` in nothing.py']),
    ],
)
def test_bad_input(student, teacher_, words, new, plain, teacher):
    plain('nowhere_.py')
    plain()
    (teacher / 'empty').mkdir()
    (teacher / 'nothing.py').write_text('a = 1')
    (teacher / 'mgd.py').write_text("model = dict(type='mmmgd.MGDDistill')")
    _, err = new(student, teacher_, status=1)
    assert all(word in err for word in words), err
    assert not Path('my_distill.py').exists()


def test_a_student_that_does_not_train_by_itself_is_told_so(
    new, plain, teacher
):
    student = plain(**{'model.head.in_channels': 33})
    _, err = new(student, 'wide.pth', status=1)
    assert "The student's own config does not train" in err
    assert 'nothing of mmmgd took part' in err


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
