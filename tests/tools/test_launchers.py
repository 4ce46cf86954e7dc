"""tools/{dist,slurm}_{train,test}.sh, and how the tools take launchers."""

import json
import os
import socket
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmpretrain')
pytestmark = pytest.mark.usefixtures('in_project')

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools'


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


def free_port() -> str:
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return str(s.getsockname()[1])


@pytest.mark.skipif(
    torch.cuda.is_available() and torch.cuda.device_count() < 2,
    reason='two processes need two GPUs, or none',
)
def test_dist_train_and_dist_test_with_two_processes(
    project, rank_file, last_accuracy, run_tool
):
    """From a working folder that is neither the repository nor tools."""
    work_dir = project / 'two'
    done = run_tool(
        [TOOLS / 'dist_train.sh', 'tiny.py', 2, '--work-dir', work_dir],
        PORT=free_port(),
    )
    assert done.returncode == 0, done.stderr
    one, two = rank_file(0), rank_file(1)
    assert one['world_size'] == two['world_size'] == 2
    assert one['iter'] == two['iter'] == 3  # 24 images, 2 ranks, batches of 4
    assert one['total'] == two['total']  # the gradients were shared
    if not torch.cuda.is_available():
        assert done.stdout.count('backend nccl -> gloo') == 1

    for rank in (0, 1):
        (project / f'rank{rank}.json').unlink()
    done = run_tool(
        [
            TOOLS / 'dist_test.sh',
            'tiny.py',
            work_dir / 'epoch_1.pth',
            2,
            '--out',
            'two.json',
        ],
        PORT=free_port(),
    )
    assert done.returncode == 0, done.stderr
    assert rank_file(1)['world_size'] == 2
    metrics = json.loads((project / 'two.json').read_text())
    assert metrics['accuracy/top1'] == last_accuracy(work_dir)


def test_other_launchers_say_that_they_need_a_gpu(
    train, monkeypatch, tmp_path
):
    group = sys.modules['_group']
    monkeypatch.setattr(group, 'get_device', lambda: 'cpu')
    for name in group.LAUNCHED['slurm']:
        monkeypatch.setenv(name, '1')
    with pytest.raises(SystemExit, match='--launcher slurm needs a GPU'):
        train.main(
            ['tiny.py', '--launcher', 'slurm', '--work-dir', str(tmp_path)]
        )


@pytest.fixture
def srun(tmp_path: Path) -> Path:
    """A folder with an `srun` that prints its environment and arguments."""
    file = tmp_path / 'srun'
    file.write_text(
        '#!/usr/bin/env bash\nprintf "%s\\n" "${PYTHONPATH%%:*}" "$@"\n'
    )
    file.chmod(0o755)
    return tmp_path


def _started(run_tool, srun, script, argv, **variables):
    """Names what a Slurm script hands to srun."""
    path = f'{srun}{os.pathsep}{os.environ["PATH"]}'
    done = run_tool([TOOLS / script, *argv], PATH=path, **variables)
    assert done.returncode == 0, done.stderr
    root, *words = done.stdout.splitlines()
    assert root == str(ROOT)
    return words


def test_slurm_train(srun, run_tool):
    argv = ['part', 'my job', 'a b.py', 'w d', '--resume', 'c d.pth']
    words = _started(
        run_tool, srun, 'slurm_train.sh', argv,
        GPUS='16', CPUS_PER_TASK='3',
        SRUN_ARGS='--quotatype=auto -x n1', PY_ARGS='--amp --auto-scale-lr',
    )  # fmt: skip
    at = words.index('python')
    assert words[:at] == [
        *['--partition=part', '--job-name=my job', '--gres=gpu:8'],
        *['--ntasks=16', '--ntasks-per-node=8', '--cpus-per-task=3'],
        *['--kill-on-bad-exit=1', '--quotatype=auto', '-x', 'n1'],
    ]
    assert words[at:] == [
        *['python', '-u', str(TOOLS / 'train.py'), 'a b.py'],
        *['--work-dir=w d', '--launcher=slurm', '--amp', '--auto-scale-lr'],
        *['--resume', 'c d.pth'],
    ]


def test_slurm_test(srun, run_tool):
    argv = ['part', 'job', 'a.py', 'b.pth', '--out', 'm.json']
    sizes = dict(GPUS='2', GPUS_PER_NODE='2')
    words = _started(run_tool, srun, 'slurm_test.sh', argv, **sizes)
    at = words.index('python')
    assert words[:at] == [
        *['--partition=part', '--job-name=job', '--gres=gpu:2'],
        *['--ntasks=2', '--ntasks-per-node=2', '--cpus-per-task=5'],
        '--kill-on-bad-exit=1',
    ]
    assert words[at:] == [
        *['python', '-u', str(TOOLS / 'test.py'), 'a.py', 'b.pth'],
        *['--launcher=slurm', '--out', 'm.json'],
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
def test_scripts_say_how_they_are_used(script, argv, run_tool):
    done = run_tool([TOOLS / script, *argv])
    assert done.returncode == 2
    assert f'{script} ' in done.stderr
    assert done.stderr.startswith('usage: ')
