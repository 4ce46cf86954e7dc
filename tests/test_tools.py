"""tools/*: the command lines, run for real on a tiny model and images."""

import importlib.util
import json
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip('mmpretrain')

ROOT = Path(__file__).parents[1]
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


@pytest.fixture(autouse=True)
def _clean(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs in the project, without what another one left."""
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
def train(_clean: None) -> ModuleType:
    return load('train')


@pytest.fixture
def tester(_clean: None) -> ModuleType:
    return load('test')


def run(command: list, *, folder: Path, **env: str):
    """Runs a command as a user would, with this interpreter as `python`."""
    paths = [str(Path(sys.executable).parent), os.environ['PATH']]
    env = {'PATH': os.pathsep.join(paths), **env}
    inherited = {
        k: v for k, v in os.environ.items() if k not in ('LOCAL_RANK', 'PATH')
    }
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        text=True,
        timeout=300,
        capture_output=True,
        check=False,
        env={**inherited, 'PYTHONPATH': str(folder), **env},
    )


def rank_file(project: Path, rank: int = 0) -> dict:
    return json.loads((project / f'rank{rank}.json').read_text())


def log_of(work_dir: Path) -> str:
    """The newest log of a work dir."""
    logs = sorted(work_dir.glob('*/*.log'), key=lambda p: p.stat().st_mtime_ns)
    return logs[-1].read_text()


def last_accuracy(work_dir: Path) -> float:
    """top-1 of the last validation, from the scalars of the log."""
    files = sorted(work_dir.glob('*/vis_data/*.json'))
    lines = [
        json.loads(line) for f in files for line in f.read_text().splitlines()
    ]
    return [x['accuracy/top1'] for x in lines if 'accuracy/top1' in x][-1]


@pytest.fixture(scope='session')
def trained(project: Path) -> Path:
    """The work dir of one training, started from the command line."""
    done = run(
        ['python', TOOLS / 'train.py', 'tiny.py'],
        folder=project,
        PYTHONPATH=f'{ROOT}{os.pathsep}{project}',
    )
    assert done.returncode == 0, done.stderr
    return project / 'work_dirs' / 'tiny'


def test_train_writes_a_checkpoint_under_the_config_name(trained):
    assert (trained / 'epoch_1.pth').is_file()
    assert (trained / 'tiny.py').is_file()


def test_out_json_equals_the_last_validation(trained, project, tester):
    checkpoint = str(trained / 'epoch_1.pth')
    metrics = tester.main(
        [
            'tiny.py',
            checkpoint,
            '--work-dir',
            str(project / 'tested'),
            '--out',
            'out/metrics.json',
            '--show-dir',
            'painted',
            '--cfg-options',
            'experiment_name=json',
        ]
    )
    written = json.loads((project / 'out' / 'metrics.json').read_text())
    assert written == metrics
    assert written['accuracy/top1'] == last_accuracy(trained)
    assert os.listdir(project / 'out') == ['metrics.json']  # no temporary
    assert len(list((project / 'painted').rglob('*.png'))) == 24
    # The optimizer of the file is of no interest, nor is its epoch.
    assert rank_file(project)['epoch'] == 0


def test_out_pkl_holds_every_prediction(trained, project, tester):
    tester.main(
        [
            'tiny.py',
            str(trained / 'epoch_1.pth'),
            '--out',
            'out.pkl',
            '--work-dir',
            str(project / 'pickled'),
            '--cfg-options',
            'experiment_name=pkl',
        ]
    )
    predictions = pickle.loads((project / 'out.pkl').read_bytes())
    assert len(predictions) == 24
    assert {'pred_score', 'gt_label'} <= set(predictions[0])


def test_resume_goes_on_from_the_latest_or_starts_new(project, train):
    work_dir = project / 'resumed'
    base = ['tiny.py', '--work-dir', str(work_dir), '--cfg-options']
    train.main([*base, 'experiment_name=r1', 'load_from=None', '--resume'])
    assert 'starts from the beginning' in log_of(work_dir)
    assert rank_file(project)['iter'] == 6

    train.main(
        [
            *base,
            'experiment_name=r2',
            'train_cfg.max_epochs=2',
            '--resume',
            'auto',
        ]
    )
    assert f"going on from '{work_dir / 'epoch_1.pth'}'" in log_of(work_dir)
    assert rank_file(project)['iter'] == 12
    assert 'Epoch(train) [1]' not in log_of(work_dir)
    assert (work_dir / 'epoch_2.pth').is_file()

    # From a path, and into another work dir.
    train.main(
        [
            'tiny.py',
            '--work-dir',
            str(project / 'other'),
            '--resume',
            str(work_dir / 'epoch_1.pth'),
            '--cfg-options',
            'experiment_name=r3',
            'train_cfg.max_epochs=2',
        ]
    )
    one = torch.load(work_dir / 'epoch_2.pth', weights_only=False)
    two = torch.load(project / 'other' / 'epoch_2.pth', weights_only=False)
    for name, value in one['state_dict'].items():
        assert torch.equal(value, two['state_dict'][name]), name


def test_latest_checkpoint_of_a_moved_or_copied_folder(tmp_path, train):
    old, new = tmp_path / 'old', tmp_path / 'new'
    old.mkdir()
    new.mkdir()
    (new / 'last_checkpoint').write_text(str(old / 'epoch_3.pth'))
    with pytest.raises(SystemExit, match='epoch_3.pth., which does not exist'):
        train.find_latest(new)
    (old / 'epoch_3.pth').touch()  # CheckpointHook(out_dir=...)
    assert train.find_latest(new) == str(old / 'epoch_3.pth')
    (new / 'epoch_3.pth').touch()
    assert train.find_latest(new) == str(new / 'epoch_3.pth')


def test_auto_resume_keeps_load_from_until_there_is_a_checkpoint(
    tmp_path, train
):
    from mmengine.config import Config

    cfg = Config(dict(work_dir=str(tmp_path), load_from='start.pth'))
    train.apply_resume(cfg, 'auto')
    assert (cfg.resume, cfg.load_from) == (False, 'start.pth')


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['tinny.py'], "'tinny.py', but there is no such file"),
        (['tinny.py'], 'Close names: tiny.py'),
        (['nopkg::tiny.py'], "needs the package 'nopkg'"),
        (
            ['tiny.py', '--cfg-options', 'optimizer_config.grad_clip=1'],
            "sets 'optimizer_config', a key of MMCV 1.x",
        ),
        (
            ['tinny.py', '--resume', 'gone.pth'],  # the first thing looked at
            "--resume: there is no file 'gone.pth'",
        ),
        (['tiny.py', '--auto-scale-lr'], 'auto_scale_lr.base_batch_size'),
        (
            [
                'tiny.py',
                '--amp',
                '--cfg-options',
                'optim_wrapper.type=ApexOptim',
            ],
            "expected optim_wrapper.type 'OptimWrapper', but the config has "
            "'ApexOptim'",
        ),
    ],
)
def test_train_errors(argv, message, train):
    with pytest.raises(SystemExit) as error:
        train.main(argv)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['tinny.py', 'gone.pth'], "checkpoint: there is no file 'gone.pth'"),
        (['tinny.py', 'tiny.py'], 'Close names: tiny.py'),
        (['tiny.py', 'tiny.py', '--out', 'x.csv'], "but got 'x.csv'"),
        (
            [
                'tiny.py',
                'tiny.py',
                '--show-dir',
                'x',
                '--cfg-options',
                'default_hooks.visualization=None',
            ],
            '--show-dir expected',
        ),
    ],
)
def test_test_errors(argv, message, tester):
    with pytest.raises(SystemExit) as error:
        tester.main(argv)
    assert message in str(error.value)


def test_checkpoint_that_does_not_fit(trained, project, tester):
    """MMEngine would warn and report the accuracy of random weights."""
    state = torch.load(trained / 'epoch_1.pth', weights_only=False)[
        'state_dict'
    ]
    torch.save(
        {'state_dict': {f'architecture.{k}': v for k, v in state.items()}},
        'prefixed.pth',
    )
    options = ['--work-dir', str(project / 'misfit'), '--cfg-options']
    with pytest.raises(SystemExit, match='are not in it, e.g. .*architecture'):
        tester.main(
            ['tiny.py', 'prefixed.pth', *options, 'experiment_name=prefixed']
        )
    with pytest.raises(SystemExit, match='size mismatch'):
        tester.main(
            [
                'tiny.py',
                str(trained / 'epoch_1.pth'),
                *options,
                'model.backbone.num_classes=3',
                'experiment_name=wide',
            ]
        )


def test_work_dir_of_the_command_line_then_config_then_name(project, train):
    common = sys.modules['_common']
    parser = train.make_parser

    def work_dir(*argv):
        args = common.parse_args(parser(), ['tiny.py', *argv])
        return common.load_config(args).work_dir

    in_config = ['--cfg-options', 'work_dir=from_config']
    assert work_dir('--work-dir', 'cli', *in_config) == 'cli'
    assert work_dir(*in_config) == 'from_config'
    assert work_dir() == os.path.join('work_dirs', 'tiny')


@pytest.mark.parametrize(
    'argv',
    [
        ['--local-rank', '3'],
        ['--local_rank', '3'],
        ['--local-rank=3'],
        ['--local_rank=3'],
    ],
)
def test_both_spellings_of_local_rank(argv, train, monkeypatch):
    common = sys.modules['_common']
    common.parse_args(train.make_parser(), ['tiny.py', *argv])
    assert os.environ['LOCAL_RANK'] == '3'
    # torchrun's environment is right where an argument contradicts it.
    monkeypatch.setenv('LOCAL_RANK', '1')
    common.parse_args(train.make_parser(), ['tiny.py', *argv])
    assert os.environ['LOCAL_RANK'] == '1'


def test_amp(project, train, monkeypatch):
    from mmengine.config import Config

    cfg = Config(dict(optim_wrapper=dict(optimizer=dict(type='SGD'))))
    monkeypatch.setattr(train, 'get_device', lambda: 'cpu')
    with pytest.raises(SystemExit, match="offers only 'cpu'"):
        train.apply_amp(cfg)
    monkeypatch.setattr(train, 'get_device', lambda: 'cuda')
    assert train.apply_amp(cfg) is None
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.loss_scale == 'dynamic'
    cfg.optim_wrapper.loss_scale = 8.0
    assert 'already' in train.apply_amp(cfg)
    assert cfg.optim_wrapper.loss_scale == 8.0


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA')
def test_amp_trains(project, train):
    train.main(
        [
            'tiny.py',
            '--amp',
            '--work-dir',
            str(project / 'amp'),
            '--cfg-options',
            'experiment_name=amp',
        ]
    )
    saved = torch.load(project / 'amp' / 'epoch_1.pth', weights_only=False)
    assert 'loss_scaler' in saved['optimizer']


def test_auto_scale_lr_and_runner_type(project, train):
    """A batch of 4 where 16 was meant: a quarter of the learning rate."""
    work_dir = project / 'scaled'
    train.main(
        [
            'tiny.py',
            '--auto-scale-lr',
            '--work-dir',
            str(work_dir),
            '--cfg-options',
            'auto_scale_lr.base_batch_size=16',
            'runner_type=Runner',
            'experiment_name=scaled',
        ]
    )
    saved = torch.load(work_dir / 'epoch_1.pth', weights_only=False)
    assert saved['optimizer']['param_groups'][0]['lr'] == 0.01


def free_port() -> str:
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return str(s.getsockname()[1])


@pytest.mark.skipif(
    torch.cuda.is_available() and torch.cuda.device_count() < 2,
    reason='two processes need two GPUs, or none',
)
def test_dist_train_and_dist_test_with_two_processes(project):
    """From a working folder that is neither the repository nor tools."""
    work_dir = project / 'two'
    done = run(
        [TOOLS / 'dist_train.sh', 'tiny.py', 2, '--work-dir', work_dir],
        folder=project,
        PORT=free_port(),
    )
    assert done.returncode == 0, done.stderr
    one, two = rank_file(project, 0), rank_file(project, 1)
    assert one['world_size'] == two['world_size'] == 2
    assert one['iter'] == two['iter'] == 3  # 24 images, 2 ranks, batches of 4
    assert one['total'] == two['total']  # the gradients were shared
    if not torch.cuda.is_available():
        assert done.stdout.count('backend nccl -> gloo') == 1

    for rank in (0, 1):
        (project / f'rank{rank}.json').unlink()
    done = run(
        [
            TOOLS / 'dist_test.sh',
            'tiny.py',
            work_dir / 'epoch_1.pth',
            2,
            '--out',
            'two.json',
        ],
        folder=project,
        PORT=free_port(),
    )
    assert done.returncode == 0, done.stderr
    assert rank_file(project, 1)['world_size'] == 2
    metrics = json.loads((project / 'two.json').read_text())
    assert metrics['accuracy/top1'] == last_accuracy(work_dir)


def test_other_launchers_say_that_they_need_a_gpu(train, monkeypatch):
    common = sys.modules['_common']
    monkeypatch.setattr(common, 'get_device', lambda: 'cpu')
    with pytest.raises(SystemExit, match='--launcher slurm needs a GPU'):
        train.main(['tiny.py', '--launcher', 'slurm'])


@pytest.fixture
def srun(tmp_path: Path) -> Path:
    """A folder with an `srun` that prints its environment and arguments."""
    file = tmp_path / 'srun'
    file.write_text(
        '#!/usr/bin/env bash\nprintf "%s\\n" "${PYTHONPATH%%:*}" "$@"\n'
    )
    file.chmod(0o755)
    return tmp_path


def test_slurm_scripts(srun, project):
    path = f'{srun}{os.pathsep}{os.environ["PATH"]}'
    done = run(
        [
            TOOLS / 'slurm_train.sh',
            'part',
            'my job',
            'a b.py',
            'w d',
            '--resume',
            'c d.pth',
        ],
        folder=project,
        PATH=path,
        GPUS='16',
        CPUS_PER_TASK='3',
        SRUN_ARGS='--quotatype=auto -x n1',
        PY_ARGS='--amp --auto-scale-lr',
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        str(ROOT),
        '--partition=part',
        '--job-name=my job',
        '--gres=gpu:8',
        '--ntasks=16',
        '--ntasks-per-node=8',
        '--cpus-per-task=3',
        '--kill-on-bad-exit=1',
        '--quotatype=auto',
        '-x',
        'n1',
        'python',
        '-u',
        str(TOOLS / 'train.py'),
        'a b.py',
        '--work-dir=w d',
        '--launcher=slurm',
        '--amp',
        '--auto-scale-lr',
        '--resume',
        'c d.pth',
    ]

    done = run(
        [
            TOOLS / 'slurm_test.sh',
            'part',
            'job',
            'a.py',
            'b.pth',
            '--out',
            'm.json',
        ],
        folder=project,
        PATH=path,
        GPUS='2',
        GPUS_PER_NODE='2',
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        str(ROOT),
        '--partition=part',
        '--job-name=job',
        '--gres=gpu:2',
        '--ntasks=2',
        '--ntasks-per-node=2',
        '--cpus-per-task=5',
        '--kill-on-bad-exit=1',
        'python',
        '-u',
        str(TOOLS / 'test.py'),
        'a.py',
        'b.pth',
        '--launcher=slurm',
        '--out',
        'm.json',
    ]


@pytest.mark.parametrize(
    ('script', 'argv'),
    [
        ('dist_train.sh', []),
        ('dist_train.sh', ['a.py', '--amp']),
        ('dist_test.sh', ['a.py', '2']),
        ('dist_test.sh', ['a.py', '2', 'b.pth']),
        ('slurm_train.sh', ['part', 'job', 'a.py']),
        ('slurm_test.sh', []),
    ],
)
def test_scripts_say_how_they_are_used(script, argv, project):
    done = run([TOOLS / script, *argv], folder=project)
    assert done.returncode == 2
    assert f'{script} ' in done.stderr
    assert done.stderr.startswith('usage: ')
