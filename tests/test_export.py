"""The blocks of docs/export.md, run on work dirs of the demo's students."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

from mmmgd.config import read_config, student_config, whole_model
from mmmgd.engine.student_file import write_student

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(
    r'^```python\n(.*?)^```$',
    (ROOT / 'docs/export.md').read_text('utf-8'),
    re.DOTALL | re.M,
)
TASKS = ('classification', 'detection', 'semantic_segmentation')


def _blocks(word):
    """Return the block of each task in which a word stands."""
    found = {}
    for block in BLOCKS:
        task = re.search(r'work_dirs/(\w+)/', block)[1]
        if word in block:
            found[task] = block
    assert set(found) == set(TASKS)
    return found


@pytest.fixture
def work_dir(tmp_path, monkeypatch):
    """A folder with the work dir of a task, on random weights."""

    def _work_dir(task):
        monkeypatch.chdir(tmp_path)
        folder = Path('work_dirs') / task
        folder.mkdir(parents=True)
        cfg = read_config(str(ROOT / f'configs/demo/{task}_mgd.py'))
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            torch.manual_seed(0)
            model = MODELS.build(whole_model(student_config(cfg)))
        classes = [*'0123456789'] + ['x'] * (task == 'semantic_segmentation')
        meta = dict(dataset_meta=dict(classes=classes, palette='random'))
        state = dict(state_dict=model.state_dict(), meta=meta)
        torch.save(state, folder / 'epoch_1.pth')
        write_student(cfg, folder)
        return model.eval()

    return _work_dir


def _tensors(value):
    """Return all tensors in nested lists, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for item in value for tensor in _tensors(item)]


@pytest.mark.slow
@pytest.mark.parametrize('task', TASKS)
def test_onnxruntime_gives_what_the_model_gives(task, work_dir):
    for package in ('onnx', 'onnxruntime'):
        pytest.importorskip(package)
    if torch.__version__ >= '2.9':
        pytest.importorskip('onnxscript')
    work_dir(task)
    scope: dict = {}
    exec(_blocks('torch.onnx')[task], scope)
    names = ('scores', 'levels', 'logits')
    (found,) = (scope[name] for name in names if name in scope)
    with torch.no_grad():
        expected = _tensors(scope['model'].double()(scope['images'].double()))
    found = found if isinstance(found, list) else [found]
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert one.shape == tuple(other.shape)
        error = np.linalg.norm(one - other.numpy())
        # Sums of at most K = 9 * 512 products in each of 30 layers:
        # rounding adds up to sqrt(30 * K) half units in the last place.
        bound = (30 * 9 * 512) ** 0.5 * 2**-24
        assert error <= 4 * bound * float(other.norm())


@pytest.mark.slow
@pytest.mark.parametrize('task', TASKS)
def test_inferencers_read_the_work_dir(task, work_dir, capsys):
    work_dir(task)
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save('image.png')
    exec(_blocks('nferencer(')[task], {})
    out = capsys.readouterr().out
    last = out.strip().splitlines()[-1]
    if task == 'classification':  # after a progress bar, perhaps
        assert 0.1 <= float(re.search(r'0\.\d+$', last)[0]) <= 1
    elif task == 'detection':
        assert last.endswith(']')
    else:
        assert last.endswith('(64, 64)')
