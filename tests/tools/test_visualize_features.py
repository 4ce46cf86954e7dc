"""The features of real checkpoints, painted by the command line."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'analysis_tools'))

import visualize_features  # noqa: E402

TILE = 32


@pytest.fixture
def trained(run, runner_cfg, distiller_cfg, classifier_cfg, tmp_path):
    """One epoch of a distillation and of the plain student."""
    files = {}
    for name, model in (('mgd', distiller_cfg()), ('alone', classifier_cfg())):
        cfg = runner_cfg(model)
        cfg.work_dir = str(tmp_path / name)
        run(cfg)
        cfg.dump(tmp_path / f'{name}.py')
        checkpoint = tmp_path / name / 'epoch_1.pth'
        files[name] = [str(tmp_path / f'{name}.py'), str(checkpoint)]
    return files


def test_each_model_has_a_column(trained, tmp_path, capsys):
    out = tmp_path / 'new' / 'features.png'
    words = [*trained['mgd'], '--out', str(out), '--images', '2']
    words += ['--tile', str(TILE), '--model', 'alone', *trained['alone']]
    visualize_features.main(words)
    columns = (
        'image, teacher, alone, student, masked, generated, its target, error'
    )
    assert f'2 rows, {columns}' in capsys.readouterr().out
    picture = np.asarray(Image.open(out))
    assert picture.shape == (18 + 2 * TILE + 6, 8 * TILE + 7 * 6, 3)
    tiles = [
        picture[18 : 18 + TILE, x : x + TILE]
        for x in range(0, 8 * (TILE + 6), TILE + 6)
    ]
    alone, student, masked, generated = tiles[2:6]
    assert not np.array_equal(alone, student)
    assert not np.array_equal(masked, generated)
    assert tiles[1].std() > 0


def test_a_student_without_connectors_is_refused(trained, tmp_path):
    words = [trained['mgd'][0], trained['alone'][1], '--out', 'x.png']
    with pytest.raises(SystemExit, match='holds the student alone'):
        visualize_features.main(words)


def test_a_plain_config_is_refused(trained, tmp_path):
    with pytest.raises(SystemExit, match='config of a distillation'):
        visualize_features.main([*trained['alone'], '--out', 'x.png'])
