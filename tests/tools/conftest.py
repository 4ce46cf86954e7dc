"""For tests of the command lines: a project, and tools to run in it.

Nothing here is autouse, for this folder holds tests of other tools too: a
module asks for it by ``pytestmark = pytest.mark.usefixtures('in_project')``.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools'

CONFIG = """
default_scope = 'mmpretrain'
randomness = dict(seed=0)
custom_imports = dict(imports=['rank_file'])
custom_hooks = [dict(type='RankFile', folder='{folder}')]
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(mean=[127.], std=[64.], num_classes=2),
    backbone=dict(type='LeNet5', num_classes=2),
    head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss')))
pipeline = [
    dict(type='LoadImageFromFile', color_type='grayscale'),
    dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=4, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CustomDataset', data_prefix='{folder}/images',
        pipeline=pipeline))
val_dataloader = dict(
    batch_size=4, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CustomDataset', data_prefix='{folder}/images',
        pipeline=pipeline))
val_evaluator = dict(type='Accuracy', topk=(1, ))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
train_cfg = dict(by_epoch=True, max_epochs=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.04, momentum=0.9))
default_hooks = dict(
    visualization=dict(type='VisualizationHook'),
    checkpoint=dict(type='CheckpointHook', interval=1))
visualizer = dict(
    type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
"""

# Each process writes down how it ended.
RANK_FILE = """
import json
from pathlib import Path
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module(force=True)
class RankFile(Hook):
    priority = 'VERY_LOW'

    def __init__(self, folder):
        self.folder = Path(folder)

    def after_run(self, runner):
        total = sum(p.double().sum().item() for p in runner.model.parameters())
        file = self.folder / f'rank{runner.rank}.json'
        file.write_text(json.dumps(dict(
            world_size=runner.world_size, epoch=runner.epoch,
            iter=runner.iter, total=total, work_dir=runner.work_dir,
            lr=runner.cfg.get('optim_wrapper').optimizer.lr)))
"""


@pytest.fixture(scope='session')
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 24 noisy images of two classes, and a config."""
    folder = tmp_path_factory.mktemp('project')
    rng = np.random.default_rng(0)
    for name, level in (('dark', 115), ('light', 140)):
        (folder / 'images' / name).mkdir(parents=True)
        for i in range(12):
            # The classes overlap, so that the accuracy stays below 100.
            mean = rng.normal(level, 15)
            image = rng.normal(mean, 60, (32, 32)).clip(0, 255)
            Image.fromarray(image.astype('uint8')).save(
                folder / 'images' / name / f'{name}{i}.png'
            )
    (folder / 'tiny.py').write_text(CONFIG.format(folder=folder))
    (folder / 'rank_file.py').write_text(RANK_FILE)
    return folder


@pytest.fixture
def in_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs in the project, without what another one left."""
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.syspath_prepend(str(TOOLS))
    monkeypatch.setenv('LOCAL_RANK', '0')  # so that it is restored after
    monkeypatch.delenv('LOCAL_RANK')
    for file in project.glob('rank*.json'):
        file.unlink()


def load(name: str) -> ModuleType:
    """Imports a tool from its file: a module 'test' exists in Python."""
    spec = importlib.util.spec_from_file_location(
        f'tools_{name}', TOOLS / f'{name}.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def train(in_project: None) -> ModuleType:
    return load('train')


@pytest.fixture
def tester(in_project: None) -> ModuleType:
    return load('test')


@pytest.fixture
def work_dir(in_project: None) -> ModuleType:
    return load('_work_dir')


@pytest.fixture(scope='session')
def run_tool(project: Path) -> Callable:
    """Runs a command as a user would, with this interpreter as `python`."""

    def _run(command: list, **env: str) -> subprocess.CompletedProcess:
        paths = [str(Path(sys.executable).parent), os.environ['PATH']]
        env = {'PATH': os.pathsep.join(paths), **env}
        inherited = {
            k: v
            for k, v in os.environ.items()
            if k not in ('LOCAL_RANK', 'PATH')
        }
        return subprocess.run(
            [str(part) for part in command],
            cwd=project,
            text=True,
            timeout=300,
            capture_output=True,
            check=False,
            env={**inherited, 'PYTHONPATH': str(project), **env},
        )

    return _run


@pytest.fixture
def rank_file(project: Path) -> Callable[..., dict]:
    """Reads what the process of a rank wrote when it ended."""

    def _read(rank: int = 0) -> dict:
        return json.loads((project / f'rank{rank}.json').read_text())

    return _read


@pytest.fixture
def last_accuracy() -> Callable[[Path], float]:
    """Reads top-1 of a work dir's last validation, from the log's scalars."""

    def _read(work_dir: Path) -> float:
        files = sorted(work_dir.glob('*/vis_data/*.json'))
        lines = [
            json.loads(line)
            for f in files
            for line in f.read_text().splitlines()
        ]
        return [x['accuracy/top1'] for x in lines if 'accuracy/top1' in x][-1]

    return _read


@pytest.fixture(scope='session')
def trained(project: Path, run_tool: Callable) -> Path:
    """The work dir of one training, started from the command line."""
    done = run_tool(
        ['python', TOOLS / 'train.py', 'tiny.py'],
        PYTHONPATH=f'{ROOT}{os.pathsep}{project}',
    )
    assert done.returncode == 0, done.stderr
    return project / 'work_dirs' / 'tiny'
