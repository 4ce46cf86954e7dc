"""Small real things that several tests share: models, files, data, a Runner.

The models are MMPretrain's own classifiers at a small width; the data are
images in its own folder layout. Nothing here stands in for the real part.
"""

import copy
import os
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from PIL import Image
from small_models import classifier, distiller

# What a pure test does without; see `--pure`.
LARGE = {'mmcv', 'mmdet', 'mmpretrain', 'mmrazor', 'mmseg'}
LARGE |= {'pycocotools', 'scipy', 'sklearn'}
# Tiny models: a second thread costs more than it gives. The numbers must hold
# with any: TEST_THREADS=4 pytest ...
torch.set_num_threads(int(os.environ.get('TEST_THREADS', '1')))


def pytest_addoption(parser):
    parser.addoption(
        '--pure',
        action='store_true',
        help='skip each test that imports a codebase or starts a process, '
        'installed or not: what is left needs torch and MMEngine alone',
    )


def pytest_configure(config):
    if config.getoption('--pure'):
        # Asks which codebases are there: let it, before that is answered so.
        import mmmgd.compat  # noqa: F401

        sys.meta_path.insert(0, SkipLarge())
        sys.addaudithook(skip_process)


class SkipLarge(MetaPathFinder):
    """Skip a test as soon as it looks for a large package."""

    def find_spec(self, name: str, path=None, target=None) -> None:
        if name in LARGE:
            pytest.skip(f'needs {name}', allow_module_level=True)


def skip_process(event: str, args: tuple) -> None:
    """Skip a test as soon as it starts a process."""
    if event in ('subprocess.Popen', 'os.fork'):
        pytest.skip('starts a process', allow_module_level=True)


@pytest.fixture(autouse=True)
def _no_default_scope():
    """A Runner leaves its scope behind, for whoever builds next."""
    yield
    DefaultScope._instance_dict.clear()


@pytest.fixture
def classifier_cfg():
    """A factory of classifier configs."""
    return classifier


@pytest.fixture
def distiller_cfg():
    """A factory of MGDDistill configs."""
    return lambda **changes: copy.deepcopy(distiller(**changes))


@pytest.fixture
def build():
    """Build a model from its config, on fixed random weights."""

    def _build(cfg: dict, seed: int = 0) -> torch.nn.Module:
        torch.manual_seed(seed)
        model = MODELS.build(cfg)
        if hasattr(model, 'teacher'):
            model.init_weights()
        return model

    return _build


@pytest.fixture
def batch():
    """Normalised images and their labels, as MMPretrain defines them."""
    from mmpretrain.structures import DataSample

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, 3, 32, 32, generator=generator)
    return images, [DataSample().set_gt_label(i % 10) for i in range(4)]


@pytest.fixture(scope='session')
def image_folder(tmp_path_factory) -> Path:
    """48 noisy images of 4 classes: <class>/<number>.png."""
    root = tmp_path_factory.mktemp('images')
    rng = np.random.default_rng(0)
    for label in range(4):
        (root / str(label)).mkdir()
        for i in range(12):
            pixels = rng.integers(0, 120, (32, 32, 3), dtype=np.uint8)
            pixels[8 * label : 8 * label + 8] += 120
            Image.fromarray(pixels).save(root / str(label) / f'{i:04}.png')
    return root


@pytest.fixture
def runner_cfg(image_folder, tmp_path):
    """A factory of whole configs: 12 iterations an epoch, on the CPU."""

    def loader(shuffle: bool, pipeline: list) -> dict:
        return dict(
            batch_size=4,
            num_workers=0,
            persistent_workers=False,
            sampler=dict(type='DefaultSampler', shuffle=shuffle),
            dataset=dict(
                type='CustomDataset',
                data_root=str(image_folder),
                pipeline=pipeline,
            ),
        )

    def _cfg(model: dict, epochs: int = 1, **changes) -> Config:
        train = [
            dict(type='LoadImageFromFile'),
            dict(type='RandomCrop', crop_size=32, padding=4),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ]
        test = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
        cfg = dict(
            default_scope='mmpretrain',
            model=copy.deepcopy(model),
            work_dir=str(tmp_path / 'work'),
            train_dataloader=loader(True, train),
            val_dataloader=loader(False, test),
            test_dataloader=loader(False, test),
            train_cfg=dict(by_epoch=True, max_epochs=epochs, val_interval=1),
            val_cfg=dict(),
            test_cfg=dict(),
            val_evaluator=dict(type='Accuracy', topk=(1,)),
            test_evaluator=dict(type='Accuracy', topk=(1,)),
            optim_wrapper=dict(
                optimizer=dict(type='SGD', lr=0.05, momentum=0.9)
            ),
            default_hooks=dict(
                checkpoint=dict(
                    type='CheckpointHook',
                    interval=1,
                    save_best='auto',
                    save_last=True,
                ),
            ),
            randomness=dict(seed=3, deterministic=True),
            log_level='WARNING',
        )
        if model['type'] == 'mmmgd.MGDDistill':
            cfg['default_hooks']['distill'] = dict(type='mmmgd.DistillHook')
        # yapf takes longer than the epoch, at each checkpoint.
        cfg = Config(cfg, format_python_code=False)
        cfg.merge_from_dict(changes)
        return cfg

    return _cfg


@pytest.fixture
def quick_start(monkeypatch):
    """The compiler's version, for the log, takes longer than a short run."""
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)


@pytest.fixture
def run(tmp_path):
    """Train a config through a real Runner and return it."""
    count = iter(range(1000))

    def _run(cfg: Config, resume: bool = False) -> Runner:
        cfg.experiment_name = f'{tmp_path.name}-{next(count)}'
        cfg.resume = resume
        runner = Runner.from_cfg(cfg)
        runner.train()
        return runner

    return _run
