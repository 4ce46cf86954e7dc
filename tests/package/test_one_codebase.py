"""Each tutorial from top to bottom: the wheel, one codebase, an empty folder.

Its blocks are run in order, as a user would type them.
"""

import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from tutorial_data import write_data

from mmmgd.config import read_config, whole_model

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools/dev'))

import docs_links  # noqa: E402

CODEBASES = {
    'classification': 'mmpretrain',
    'detection': 'mmdet',
    'instance_segmentation': 'mmdet',
    'semantic_segmentation': 'mmseg',
}
# Smaller than a user's: the length of a training and the images.
SMALLER = {
    r'\bepochs = \d+': 'epochs = 1',
    r'\bsize = 224': 'size = 32',
    r'scale = \(1333, 800\)': 'scale = (96, 96)',
    r'crop = \(512, 512\)': 'crop = (64, 64)',
    r'steps = 20000': 'steps = 2',
    r'every = 2000': 'every = 2',
    r'batch = 4': 'batch = 2',
    r'calibrate \S+': r'\g<0> --batches 1 --warmup 2',
    r'epoch_12\.pth': 'epoch_1.pth',
}
# A detector that has hardly learned is sure of nothing.
MORE = {
    'detection': "model['test_cfg'] = dict(score_thr=0.0)\n",
    'instance_segmentation': (
        "model['test_cfg'] = dict(rcnn=dict(score_thr=0.0))\n"
    ),
}


def smaller(text: str) -> str:
    """Return a block with less to do."""
    for wanted, less in SMALLER.items():
        text = re.sub(wanted, less, text)
    return text


def fetch_backbone(config: str) -> None:
    """Put a backbone's published weights where a download would."""
    from mmengine.runner import checkpoint

    cfg = read_config(config)
    model = whole_model(cfg)
    init = model.backbone.get('init_cfg') or {}
    name = model.get('pretrained') or init.get('checkpoint')
    if not name:
        return
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        backbone = MODELS.build(dict(model.backbone, init_cfg=None))
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


def test_each_tutorial_has_its_codebase():
    found = {path.stem for path in (ROOT / 'docs/tutorials').glob('*.md')}
    assert found == {*CODEBASES}


@pytest.mark.slow
@pytest.mark.parametrize('name', CODEBASES)
def test_a_tutorial_as_written(name, environment, tmp_path, monkeypatch):
    pytest.importorskip(CODEBASES[name])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    run = environment(CODEBASES[name])
    for other in {*CODEBASES.values()} - {CODEBASES[name]}:
        run('python', '-c', f'import {other}', cwd=tmp_path, status=1)
    write_data(name, Path('data/mine'))
    text = (ROOT / f'docs/tutorials/{name}.md').read_text('utf-8')
    said, commands = '', 0
    for language, block in docs_links.blocks(text):
        block = smaller(block)
        if language == 'python':
            config = re.match(r'# (\w+\.py)\n', block)[1]
            more = MORE.get(name, '') if config == 'small.py' else ''
            Path(config).write_text(block + more)
            fetch_backbone(config)
            continue
        assert language == 'shell'
        for line in block.splitlines():
            said += run(*shlex.split(line), cwd=tmp_path).stdout
            commands += 1
    assert commands >= 7
    assert 'student alone' in said and '| my_distill | distilled |' in said
    assert Path('compare.html').read_text().count('<svg role') >= 1
    assert Path('work_dirs/my_distill/student.py').is_file()
    log = next(Path('work_dirs/my_distill').glob('*/*.log')).read_text()
    assert 'loss_mgd' in log
