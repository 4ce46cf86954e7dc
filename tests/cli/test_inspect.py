"""``python -m mmmgd inspect`` on the demo's configs; no data is there."""

import hashlib
import re
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

from mmmgd.__main__ import main
from mmmgd.config import read_config

CONFIGS = Path(__file__).parents[2] / 'configs' / 'demo'
MGD = str(CONFIGS / 'classification_mgd.py')
# at the crop of 8x8 pixels that the demo trains on
PAIR = "'backbone.layer4',  # (32, 2, 2) <- (256, 2, 2), stride 4"


@pytest.fixture
def inspect(capsys, tmp_path, monkeypatch):
    """Run the command from a folder without anything in it."""
    monkeypatch.chdir(tmp_path)

    def _inspect(*argv, status=0):
        try:
            ended = main(['inspect', *argv])
        except SystemExit as end:  # Python prints its text, and returns 1
            print(end.code, file=sys.stderr)
            ended = 1
        assert ended == status
        return capsys.readouterr()

    return _inspect


def _section(text, head):
    return text.partition(head)[2].partition('\n\n')[0]


def test_points_pairs_and_report_without_data_or_weights(inspect):
    out = inspect(MGD, '--processes', '8', '--no-weights').out
    for side, width in (('student', 32), ('teacher', 256)):
        points = _section(out, f'Points of the {side}')
        row = rf'backbone\.layer4 +\(1, {width}, 2, 2\) +/4\n'
        assert re.search(row, points)
    assert PAIR in _section(out, 'Proposed `points`')
    report, _, points = out.partition('Points of')
    assert report.startswith('Before step 1 (features of a 8x8 image)')
    assert 'no file yet: work_dirs/demo/classification/teacher/last.pth' in (
        report
    )
    assert '25 x 8 processes x 1 accumulated = 200' in report


def test_the_teachers_file_is_read_if_it_is_there(inspect, tmp_path):
    cfg = read_config(str(CONFIGS / 'classification_teacher.py'))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        torch.save(MODELS.build(cfg.model).state_dict(), tmp_path / 't.pth')
    digest = hashlib.sha256((tmp_path / 't.pth').read_bytes()).hexdigest()
    options = ['--cfg-options', f'model.teacher.checkpoint={tmp_path}/t.pth']
    out = inspect(MGD, *options).out
    assert digest in out and '100/100 tensors of the part' in out
    out = inspect(MGD, '--no-weights', *options).out
    assert digest in out and 'tensors of the part' not in out


def test_a_file_of_another_model_is_refused(inspect, tmp_path):
    torch.save({'backbone.x.weight': torch.zeros(1)}, tmp_path / 't.pth')
    option = f'model.teacher.checkpoint={tmp_path}/t.pth'
    shown = inspect(MGD, '--cfg-options', option, status=1)
    assert 'does not fit the part of the teacher' in shown.err
    assert PAIR in shown.out


def test_a_wrong_point_is_refused_and_right_ones_are_shown(inspect):
    option = 'model.distill.loss_mgd.points=backbone.layer44'
    shown = inspect(MGD, '--cfg-options', option, status=1)
    assert "Close names: 'backbone.layer4'" in shown.err
    assert PAIR in shown.out


def test_a_plain_config_and_a_teacher_to_pair_it_with(inspect):
    plain = str(CONFIGS / 'classification_baseline.py')
    out = inspect(plain).out
    assert 'Points of the student' in out and 'Proposed' not in out
    teacher = str(CONFIGS / 'classification_teacher.py')
    out = inspect(plain, '--teacher', teacher).out
    assert PAIR in out and 'Before step 1' not in out


def test_a_detector_is_paired_at_each_level(inspect):
    out = inspect(str(CONFIGS / 'detection_mgd.py'), '--no-weights').out
    pairs = _section(out, 'Proposed `points`').split('\n')[1:]
    assert [p.split("'")[1] for p in pairs] == [
        f'neck.fpn_convs.{i}.conv' for i in range(5)
    ]
    assert 'loss_mgd.4  neck.fpn_convs.4.conv 32x2x2 /128' in out
    assert 'max_norm=35, norm_type=2' in out


def test_the_list_is_short_unless_all_is_asked_for(inspect):
    config = str(CONFIGS / 'detection_mgd.py')
    shown = inspect(config, '--no-weights').out
    points = _section(shown, 'Points of the student').splitlines()[1:]
    assert [line.split()[0] for line in points[:-1]] == [
        'backbone.relu',
        *(f'backbone.layer{i}' for i in (1, 2, 3, 4)),
        *(f'neck.fpn_convs.{i}' for i in range(5)),
        'bbox_head.reg_convs.1',
        'bbox_head.retina_cls',
        'bbox_head.retina_reg',
    ]
    more = int(re.search(r'\((\d+) more: --all\)', points[-1])[1])
    every = inspect(config, '--no-weights', '--all').out
    listed = _section(every, 'Points of the student').splitlines()[1:]
    assert len(listed) == len(points) - 1 + more
    assert 'more: --all' not in every


def test_a_config_that_is_not_there(inspect):
    path = MGD.replace('_mgd', '_mgdd')
    assert 'Close names: classification_mgd.py' in inspect(path, status=1).err


def test_a_missing_file_of_the_teacher_is_refused_after_the_report(inspect):
    shown = inspect(MGD, status=1)
    assert 'no file yet: work_dirs/demo' in shown.out
    assert shown.err.count('error: ') == 1
    assert 'no such file' in shown.err and 'teacher/last.pth' in shown.err


def test_a_url_that_is_not_fetched_yet_is_fine(inspect):
    option = 'model.teacher.checkpoint=https://example.org/t.pth'
    out = inspect(MGD, '--cfg-options', option).out
    assert 'no file yet: https://example.org/t.pth' in out


def test_a_headless_config_of_a_package(inspect):
    config = 'mmpretrain::dinov2/vit-small-p14_dinov2-pre_headless.py'
    points = _section(inspect(config).out, 'Points of the student')
    assert 'backbone.ln1 ' in points and 'backbone.layers.11' not in points
    points = _section(inspect(config, '--all').out, 'Points of the student')
    assert 'backbone.layers.11 ' in points


def test_a_size_is_that_of_the_report_too(inspect):
    out = inspect(MGD, '--size', '64', '--no-weights').out
    proposed = _section(out, 'Proposed `points`')
    assert '(32, 16, 16) <- (256, 16, 16)' in proposed
    assert 'in the model: image_size=64' in proposed
    assert 'Before step 1 (features of a 64x64 image)' in out


def test_nothing_of_an_mmrazor_config_is_downloaded(inspect, monkeypatch):
    def download(*args, **kwargs):
        raise AssertionError('a download')

    monkeypatch.setattr('torch.hub.download_url_to_file', download)
    monkeypatch.setattr('torch.hub.load_state_dict_from_url', download)
    monkeypatch.setattr('mmengine.runner.checkpoint.load_from_http', download)
    config = 'mgd_resnet34_resnet18_8xb32_in1k.py'
    out = inspect(str(CONFIGS.parent / 'mmrazor' / config)).out
    assert 'Points of the student (ImageClassifier)' in out
    assert "'backbone.layer4',  # (512, 7, 7) <- (512, 7, 7)" in out


def test_the_traceback_of_a_refusal_is_there_for_who_asks(inspect):
    with pytest.raises(FileNotFoundError):
        inspect(MGD.replace('_mgd', '_mgdd'), '--traceback')
