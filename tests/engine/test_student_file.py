"""``student.py`` of a work dir: the plain student, for stock tools."""

import copy
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from stock import command

from mmmgd.config import check_config
from mmmgd.engine.student_file import flat_student, write_student

STOCK = """
import json, sys
sys.modules['mmmgd'] = None  # importing it would fail
import numpy as np
from mmpretrain import ImageClassificationInferencer
inferencer = ImageClassificationInferencer(sys.argv[1], sys.argv[2])
image = np.full((32, 32, 3), 90, np.uint8)
scores = inferencer(image, show=False)[0]['pred_scores']
json.dump(scores.tolist(), open('scores.json', 'w'))
"""


@pytest.fixture
def distilled(runner_cfg, distiller_cfg):
    return runner_cfg(
        distiller_cfg(),
        custom_imports=dict(imports=['mmmgd.compat', 'json']),
        custom_hooks=[
            dict(type='EMAHook'),
            dict(type='mmmgd.PreflightHook'),
        ],
        load_from='start.pth',
        resume=True,
        launcher='pytorch',
    )


def _strings(value):
    if isinstance(value, dict):
        return [s for v in value.values() for s in _strings(v)]
    if isinstance(value, (list, tuple)):
        return [s for v in value for s in _strings(v)]
    return [value] if isinstance(value, str) else []


def test_nothing_of_ours_is_left_and_nothing_of_the_student_lost(
    distilled, tmp_path
):
    before = copy.deepcopy(distilled.to_dict())
    distilled.optim_wrapper.type = 'mmmgd.CPUAmpOptimWrapper'
    file = write_student(distilled, tmp_path)
    assert file == tmp_path / 'student.py'
    assert '_base_' not in file.read_text()
    plain = Config.fromfile(file)
    assert not [s for s in _strings(plain.to_dict()) if 'mmmgd' in s]
    assert plain.model == before['model']['student']
    assert plain.custom_imports.imports == ['json']
    assert [h.type for h in plain.custom_hooks] == ['EMAHook']
    assert set(plain.default_hooks) == {'checkpoint'}
    assert plain.optim_wrapper.type == 'OptimWrapper'
    assert (plain.load_from, plain.resume) == (None, False)
    assert plain.launcher == 'none'
    for key in ('train_dataloader', 'val_evaluator', 'train_cfg'):
        assert plain[key] == before[key]


def test_the_config_may_be_moved_once_a_run_has_read_it(distilled, tmp_path):
    distilled.dump(str(tmp_path / 'mine.py'))
    cfg = Config.fromfile(tmp_path / 'mine.py')
    (tmp_path / 'mine.py').unlink()
    assert flat_student(cfg).model == distilled.model.student


def test_a_top_level_preprocessor_stays_for_those_who_read_it(
    runner_cfg, distiller_cfg
):
    model = distiller_cfg()
    preprocessor = model['student'].pop('data_preprocessor')
    cfg = runner_cfg(model, data_preprocessor=preprocessor)
    assert flat_student(cfg).data_preprocessor == preprocessor


def test_a_plain_run_loses_its_hooks_of_ours_too(runner_cfg, classifier_cfg):
    cfg = runner_cfg(classifier_cfg())
    cfg.default_hooks.finite = dict(type='mmmgd.FiniteHook')
    plain = flat_student(cfg)
    assert set(plain.default_hooks) == {'checkpoint'}
    assert plain.model == cfg.model


def test_the_name_is_taken(distilled, tmp_path):
    distilled.dump(str(tmp_path / 'student.py'))
    with pytest.raises(ValueError, match='another name than student.py'):
        check_config(Config.fromfile(tmp_path / 'student.py'))


@pytest.mark.usefixtures('quick_start')
def test_a_run_leaves_it_and_an_inferencer_takes_it_without_us(
    runner_cfg, distiller_cfg, run, tmp_path
):
    """The same scores as the student in the run."""
    runner = run(runner_cfg(distiller_cfg()))
    work = tmp_path / 'work'
    command(tmp_path, '-c', STOCK, work / 'student.py', work / 'epoch_1.pth')
    scores = json.loads((tmp_path / 'scores.json').read_text())
    model = runner.model.eval()
    image = torch.full((1, 3, 32, 32), 90, dtype=torch.uint8)
    data = model.data_preprocessor(dict(inputs=image))
    with torch.no_grad():
        expected = model(data['inputs']).softmax(1)
    assert np.allclose(scores, expected[0].numpy(), atol=1e-6)
