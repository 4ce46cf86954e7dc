"""The inferencers of the codebases, given a distill config and its file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmmgd.config import read_config, student_config, whole_model
from mmmgd.engine.student_file import write_student

pytestmark = pytest.mark.usefixtures('quick_start')
CONFIGS = Path(__file__).parents[1] / 'configs' / 'demo'


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)


@pytest.fixture
def prepared(tmp_path):
    """Write a distill config, the work dir's student.py, and a file."""

    def _prepare(name: str, classes: list[str]) -> tuple[str, str, str]:
        cfg = read_config(str(CONFIGS / f'{name}_mgd.py'))
        plain = student_config(cfg)
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            model = MODELS.build(whole_model(plain))
        file = tmp_path / 'epoch_1.pth'
        meta = dict(dataset_meta=dict(classes=classes, palette='random'))
        torch.save(dict(state_dict=model.state_dict(), meta=meta), file)
        Config(cfg.to_dict()).dump(str(tmp_path / 'distill.py'))
        student = write_student(cfg, tmp_path)
        return str(tmp_path / 'distill.py'), str(student), str(file)

    return _prepare


def test_mmpretrain(prepared, image):
    from mmpretrain import ImageClassificationInferencer as Inferencer

    *configs, file = prepared('classification', [str(i) for i in range(10)])
    distilled, plain = (
        Inferencer(model=c, pretrained=file)(image)[0] for c in configs
    )
    assert np.array_equal(distilled['pred_scores'], plain['pred_scores'])


@pytest.mark.slow
def test_mmdet(prepared, image):
    from mmdet.apis import DetInferencer as Inferencer

    *configs, file = prepared('detection', [str(i) for i in range(10)])
    distilled, plain = (
        Inferencer(model=c, weights=file, show_progress=False)(image)
        for c in configs
    )
    assert distilled['predictions'] == plain['predictions']


@pytest.mark.slow
def test_mmseg(prepared, image):
    from mmseg.apis import MMSegInferencer as Inferencer

    *configs, file = prepared(
        'semantic_segmentation', [str(i) for i in range(19)]
    )
    distilled, plain = (
        Inferencer(model=c, weights=file)(image) for c in configs
    )
    assert np.array_equal(distilled['predictions'], plain['predictions'])
