"""Several processes that die, restart, resume: through tools/dist_train.sh."""

import os
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmpretrain')
pytestmark = [
    pytest.mark.usefixtures('in_project'),
    pytest.mark.skipif(
        torch.cuda.is_available() and torch.cuda.device_count() < 2,
        reason='two processes need two GPUs, or none',
    ),
]

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools'
distiller = runpy.run_path(str(ROOT / 'tests' / 'conftest.py'))['distiller']

# Distillation on the project's images; 3 steps an epoch with two processes.
CONFIG = """
_base_ = 'tiny.py'
model = {model!r}
model['_delete_'] = True
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=train_pipeline))
custom_imports = dict(imports=['rank_file', 'dies'], _delete_=True)
custom_hooks = [dict(type='RankFile', folder='{folder}')]
train_cfg = dict(by_epoch=True, max_epochs=4)
default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))
randomness = dict(seed=0)
"""

DIES = """
import os
import runpy
import signal
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module(force=True)
class Dies(Hook):
    '''Rank 1 (or the only one) is killed once, after a step.'''

    def __init__(self, after, signum=9):
        self.after, self.signum = after, signum

    def after_train_iter(self, runner, *args, **kwargs):
        last = runner.rank == runner.world_size - 1
        first = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0') == '0'
        if runner.iter + 1 == self.after and last and first:
            os.kill(os.getpid(), self.signum)
"""


@pytest.fixture(scope='module')
def config(project):
    (project / 'dies.py').write_text(DIES)
    text = CONFIG.format(model=distiller(), folder=project)
    (project / 'distilled.py').write_text(text)
    return 'distilled.py'


def free_port() -> str:
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return str(s.getsockname()[1])


@pytest.fixture
def start(run_tool, project, config):
    """Start tools/dist_train.sh in a work dir of that name."""

    def _start(name, processes, *argv, dies=None, **env):
        hooks = f"[dict(type='RankFile',folder='{project}')"
        if dies:
            hooks += f",dict(type='Dies',after={dies})"
        (project / f'{name}.py').write_text(
            f"_base_ = '{config}'\ncustom_hooks = {hooks}]\n"
        )
        return run_tool(
            [
                'bash',
                TOOLS / 'dist_train.sh',
                f'{name}.py',
                processes,
                '--work-dir',
                project / name,
                *argv,
            ],
            PORT=free_port(),
            OMP_NUM_THREADS='1',
            **env,
        )

    return _start


def _state(project, name):
    path = project / name / 'epoch_4.pth'
    return torch.load(path, weights_only=False)['state_dict']


def test_a_killed_process_restarts_and_changes_nothing(
    start, project, rank_file
):
    """Rank 1 dies of kill -9 in the third epoch of four."""
    done = start('killed', 2, dies=8, MAX_RESTARTS='1')
    assert done.returncode == 0, done.stderr[-3000:]
    assert "going on from '" in done.stdout
    assert 'epoch_2.pth' in done.stdout
    one, two = rank_file(0), rank_file(1)
    assert one['iter'] == two['iter'] == 12
    done = start('unbroken', 2)
    assert done.returncode == 0, done.stderr[-3000:]
    assert rank_file(0) | {'work_dir': ''} == one | {'work_dir': ''}
    expected = _state(project, 'unbroken')
    for name, value in _state(project, 'killed').items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.slow
@pytest.mark.parametrize(('before', 'after'), [(2, 1), (1, 2)])
def test_a_file_of_n_processes_resumes_on_m(
    start, project, rank_file, before, after
):
    name = f'from{before}to{after}'
    done = start(name, before, '--cfg-options', 'train_cfg.max_epochs=2')
    assert done.returncode == 0, done.stderr[-3000:]
    done = start(name, after, '--resume')
    assert done.returncode == 0, done.stderr[-3000:]
    assert f'written by {before} processes, now there are {after}' in (
        done.stdout
    )
    for rank in range(after):
        seen = rank_file(rank)
        assert seen['world_size'] == after
        assert (seen['epoch'], seen['iter']) == (4, 4 * 6 // after)
        assert seen['total'] == rank_file(0)['total']


@pytest.mark.slow
def test_two_nodes_on_the_loopback_train_together(
    project, config, start, rank_file
):
    """One process each, with the variables that a scheduler would set."""
    port = free_port()
    command = [
        'bash',
        str(TOOLS / 'dist_train.sh'),
        config,
        '1',
        '--work-dir',
        str(project / 'nodes'),
    ]
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    nodes = [
        subprocess.Popen(
            command,
            cwd=project,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                'PATH': path,
                'PYTHONPATH': str(project),
                'NNODES': '2',
                'NODE_RANK': str(rank),
                'MASTER_ADDR': '127.0.0.1',
                'PORT': port,
                'OMP_NUM_THREADS': '1',
            },
        )
        for rank in (0, 1)
    ]
    try:
        for node in nodes:
            output, _ = node.communicate(timeout=300)
            assert node.returncode == 0, output[-3000:]
    finally:
        for node in nodes:
            node.kill()
    one, two = rank_file(0), rank_file(1)
    assert one['world_size'] == two['world_size'] == 2
    assert one['total'] == two['total']
    # The same as two processes on one node.
    assert start('one_node', 2).returncode == 0
    assert rank_file(0)['total'] == one['total']


@pytest.mark.slow
def test_a_signal_to_the_launcher_saves_once_for_all(
    project, config, run_tool
):
    """SIGTERM to torchrun: all ranks leave after the same step."""
    command = [
        'bash',
        str(TOOLS / 'dist_train.sh'),
        config,
        '2',
        '--work-dir',
        str(project / 'stopped'),
        '--cfg-options',
        'train_cfg.max_epochs=4000',
        'train_cfg.val_interval=4000',
        'default_hooks.checkpoint.interval=4000',
    ]
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    log = project / 'stopped.log'
    with log.open('w') as out:
        launcher = subprocess.Popen(
            command,
            cwd=project,
            stdout=out,
            stderr=out,
            env={
                **os.environ,
                'PATH': path,
                'PYTHONPATH': str(project),
                'PORT': free_port(),
                'OMP_NUM_THREADS': '1',
            },
        )
        try:
            for _ in range(600):  # at most two minutes
                if 'Epoch(train)' in log.read_text():
                    break
                try:
                    launcher.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
                raise AssertionError(log.read_text()[-3000:])
            launcher.send_signal(signal.SIGTERM)
            launcher.wait(60)
        finally:
            launcher.kill()
    file = torch.load(
        project / 'stopped' / 'interrupted.pth', weights_only=False
    )
    assert len(file['mmmgd']['run']['rng']) == 2
    assert file['meta']['iter'] == file['mmmgd']['run']['iter'] > 0
