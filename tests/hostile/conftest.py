"""A small distillation that a case makes hostile, and tools to run on it.

Tools run in this process, as their `main` does; what ends a process is tried
in a process of its own.
"""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from cases import ROOT, Scene
from mmengine.registry import MODELS
from small_models import classifier, distiller
from torch.optim.optimizer import register_optimizer_step_post_hook

PIPELINE = """
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs')]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=16, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CustomDataset', data_root='images',
                 pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=16, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CustomDataset', data_root='images',
                 pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', interval=1),
    distill=dict(type='mmmgd.DistillHook'))
default_scope = 'mmpretrain'
randomness = dict(seed=3, deterministic=True)
log_level = 'WARNING'
"""


@pytest.fixture(scope='session')
def base(tmp_path_factory, image_folder) -> Path:
    """A folder with the config, the images and the file of a teacher."""
    folder = tmp_path_factory.mktemp('hostile')
    model = copy.deepcopy(distiller())
    model['teacher']['checkpoint'] = 't.pth'
    (folder / 'base.py').write_text(f'model = {model!r}\n{PIPELINE}')
    torch.manual_seed(0)
    torch.save(
        MODELS.build(classifier(width=6)).state_dict(), folder / 't.pth'
    )
    (folder / 'images').symlink_to(image_folder)
    return folder


@pytest.fixture
def steps():
    """Count optimizer steps, of whatever optimizer."""
    taken = []
    handle = register_optimizer_step_post_hook(lambda *_: taken.append(1))
    yield taken
    handle.remove()


@pytest.fixture
def scene(base, tmp_path, monkeypatch, quick_start, steps) -> Scene:
    """A copy of that folder, from which tools run."""
    monkeypatch.setattr(  # takes longer than the training
        'yapf.yapflib.yapf_api.FormatCode',
        lambda text, **options: (text, True),
    )
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    monkeypatch.setenv('LOCAL_RANK', '0')  # so that it is restored after
    monkeypatch.delenv('LOCAL_RANK')
    for name in ('base.py', 't.pth'):
        (tmp_path / name).write_bytes((base / name).read_bytes())
    (tmp_path / 'images').symlink_to((base / 'images').resolve())
    monkeypatch.chdir(tmp_path)
    return Scene(tmp_path, steps, monkeypatch)


@pytest.fixture
def command(scene):
    """Run a tool in a process of its own, as a user does."""

    def _run(*words, **env) -> subprocess.CompletedProcess:
        env = {
            **os.environ,
            'PYTHONPATH': str(ROOT),
            'OMP_NUM_THREADS': '1',
            **env,
        }
        return subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=scene.folder,
            env={k: v for k, v in env.items() if v is not None},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return _run
