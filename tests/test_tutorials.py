"""Every block of docs/tutorials/, run in order as a user would type it."""

import importlib.util
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from mmengine.visualization import Visualizer
from PIL import Image

from mmmgd.__main__ import main
from mmmgd.config import read_config, whole_model

ROOT = Path(__file__).parents[1]
TUTORIALS = sorted((ROOT / 'docs' / 'tutorials').glob('*.md'))
FENCE = re.compile(r'^```(\w+)\n(.*?)^```$', re.DOTALL | re.MULTILINE)
# Smaller than a user's: the length of a training and the images.
SMALLER = {
    r'\bepochs = \d+': 'epochs = 1',
    r'\bsize = 224': 'size = 32',
    r'scale = \(1333, 800\)': 'scale = (96, 96)',
    r'crop = \(512, 512\)': 'crop = (64, 64)',
    r'steps = 20000': 'steps = 2',
    r'every = 2000': 'every = 2',
    r'batch = 4': 'batch = 2',
    # A detector that has hardly learned is sure of nothing.
    r'(num_classes=len\(classes\)\))\)\ntrain_pipeline': (
        r'\1, test_cfg=dict(score_thr=0.0))\ntrain_pipeline'
    ),
}


def _noise(seed, size=96):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 120, (size, size, 3), dtype=np.uint8)


def _classification(folder):
    """Twelve images of three classes."""
    for split, name, i in [
        (s, n, i)
        for s in ('train', 'val')
        for n in ('ant', 'bee', 'fly')
        for i in range(4)
    ]:
        file = folder / split / name / f'{i}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = _noise(i, 40)
        pixels[:, :, len(name + str(i)) % 3] += 100
        Image.fromarray(pixels).save(file)


def _detection(folder):
    """Four scenes with a bright square each, in COCO's format."""
    for split in ('train', 'val'):
        (folder / split).mkdir(parents=True)
        images, objects = [], []
        for i in range(4):
            pixels = _noise(i)
            x, y = 8 + 10 * i, 40 - 8 * i
            pixels[y : y + 32, x : x + 32] += 120
            Image.fromarray(pixels).save(folder / split / f'{i}.png')
            images.append(
                dict(id=i, file_name=f'{i}.png', height=96, width=96)
            )
            objects.append(
                dict(
                    id=i, image_id=i, category_id=i % 2, iscrowd=0,
                    bbox=[x, y, 32, 32], area=1024,
                )
            )  # fmt: skip
        kinds = [dict(id=i, name=n) for i, n in enumerate(('bolt', 'nut'))]
        content = dict(images=images, annotations=objects, categories=kinds)
        (folder / f'{split}.json').write_text(json.dumps(content))


def _semantic_segmentation(folder):
    """Four images whose right half is a road."""
    for split in ('train', 'val'):
        for kind in ('images', 'masks'):
            (folder / kind / split).mkdir(parents=True)
        for i in range(4):
            pixels, mask = _noise(i), np.zeros((96, 96), np.uint8)
            pixels[:, 48:] += 100
            mask[:, 48:] = 1
            name = f'{split}/{i}.png'
            Image.fromarray(pixels).save(folder / 'images' / name)
            Image.fromarray(mask).save(folder / 'masks' / name)


def _tool(name):
    spec = importlib.util.spec_from_file_location(
        f'tools_{name}', ROOT / 'tools' / f'{name}.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _type(line):
    """Run a command line as the shell would."""
    words = shlex.split(line)
    # What ends with a process, and would be the next command's here.
    for kind in (DefaultScope, Visualizer, *Visualizer.__subclasses__()):
        kind._instance_dict.clear()
    if words[:3] == ['python', '-m', 'mmmgd']:
        assert main(words[3:]) == 0
    else:
        assert words[:2] == ['python', 'tools/train.py'], line
        _tool('train').main(words[2:])


def _fetch_backbone(config, monkeypatch):
    """Put a backbone's published weights where a download would."""
    from mmengine.runner import checkpoint

    cfg = read_config(config)
    model = whole_model(cfg)
    init = model.backbone.get('init_cfg') or {}
    name = model.get('pretrained') or init.get('checkpoint')
    if not name:
        return
    bare = model.copy()
    bare.pop('pretrained', None)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        backbone = MODELS.build(dict(bare.backbone, init_cfg=None))
    scheme, _, key = name.partition('://')
    urls = (
        checkpoint.get_torchvision_models()
        if scheme == 'torchvision'
        else checkpoint.get_external_models()
    )
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / Path(urls[key].split('#')[0]).name
    torch.save(backbone.state_dict(), file)


@pytest.mark.slow
@pytest.mark.usefixtures('quick_start')
@pytest.mark.parametrize('path', TUTORIALS, ids=lambda p: p.stem)
def test_a_tutorial_from_top_to_bottom(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    globals()[f'_{path.stem}'](Path('data/mine'))
    commands = []
    for language, text in FENCE.findall(path.read_text('utf-8')):
        if language == 'python':
            for wanted, smaller in SMALLER.items():
                text = re.sub(wanted, smaller, text)
            name = re.match(r'# (\w+\.py)\n', text)[1]
            Path(name).write_text(text)
            _fetch_backbone(name, monkeypatch)
        else:
            assert language == 'shell'
            for line in text.splitlines():
                _type(line)
                commands.append(line)
    assert len(commands) >= 7
    out = capsys.readouterr().out
    assert 'student alone' in out and '| my_distill | distilled |' in out
    assert Path('compare.html').read_text().count('<svg role') >= 1
    assert Path('work_dirs/my_distill/student.py').is_file()
    log = next(Path('work_dirs/my_distill').glob('*/*.log')).read_text()
    assert 'loss_mgd' in log
