"""``python -m mmmgd new`` for pairs of models that people use."""

from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from upstream_pairs import PAIRS, assert_takes_a_step, without_downloads

from mmmgd.__main__ import main
from mmmgd.config import read_config, student_config

# A tenth of them; `make test-all` runs all.
BY_DEFAULT = {
    'mmpretrain-mobilenet-v2_8xb32_in1k',
    'mmpretrain-mobilevit-xxsmall_8xb128_in1k',
    'mmdet-rtmdet_tiny_8xb32-300e_coco',
    'mmdet-yolox_tiny_8xb8-300e_coco',
    'mmseg-fcn_r18-d8_4xb2-80k_cityscapes-512x1024',
    'mmseg-segformer_mit-b0_8xb2-160k_ade20k-512x512',
    'mmseg-fast_scnn_8xb4-160k_cityscapes-512x1024',
}


def test_a_tenth_runs_by_default():
    assert PAIRS.keys() >= BY_DEFAULT
    assert len(BY_DEFAULT) >= len(PAIRS) // 10


@pytest.mark.parametrize(
    'name',
    [
        pytest.param(n, marks=[] if n in BY_DEFAULT else pytest.mark.slow)
        for n in PAIRS
    ],
)
def test_a_config_that_inspect_accepts_and_that_trains(
    name, tmp_path, monkeypatch, capsys
):
    student, teacher, size = PAIRS[name]
    monkeypatch.chdir(tmp_path)
    assert main(['new', student, '--teacher', teacher, '--no-data']) == 0
    words = ['--no-weights', '--size', str(size)]
    assert main(['inspect', 'my_distill.py', *words]) == 0
    assert 'Before step 1' in capsys.readouterr().out
    assert len(Path('my_distill.py').read_text().splitlines()) < 60
    cfg = read_config('my_distill.py')
    cfg.model.student = without_downloads(student_config(cfg), size)
    cfg.model.image_size = size
    cfg.model.teacher.checkpoint = False
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    assert_takes_a_step(model, size)
