"""tools/train.py, run for real on a tiny model and images."""

import os
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmpretrain')
pytestmark = pytest.mark.usefixtures('in_project')


def log_of(work_dir: Path) -> str:
    """The newest log of a work dir."""
    logs = sorted(work_dir.glob('*/*.log'), key=lambda p: p.stat().st_mtime_ns)
    return logs[-1].read_text()


def test_train_writes_a_checkpoint_under_the_config_name(trained):
    assert (trained / 'epoch_1.pth').is_file()
    assert (trained / 'tiny.py').is_file()


def test_resume_goes_on_from_the_latest_or_starts_new(
    project, train, rank_file
):
    work_dir = project / 'resumed'
    base = ['tiny.py', '--work-dir', str(work_dir), '--cfg-options']
    train.main([*base, 'experiment_name=r1', 'load_from=None', '--resume'])
    assert 'starts from the beginning' in log_of(work_dir)
    assert rank_file()['iter'] == 6

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
    assert rank_file()['iter'] == 12
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
            ['tiny.py', '--cfg-options', 'optim_wraper.optimizer.lr=1'],
            "'optim_wraper', and nobody would read it. Did you mean "
            "'optim_wrapper'?",
        ),
        (
            ['tiny.py', '--cfg-options', 'model.backbone.clases=3'],
            "unexpected keyword argument 'clases'",
        ),
        (
            ['tiny.py', '--cfg-options', 'model.backbone.type=LeNet6'],
            'LeNet6 is not in the mmpretrain::model registry',
        ),
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
def test_train_errors(argv, message, train, tmp_path):
    with pytest.raises(SystemExit) as error:
        train.main([argv[0], '--work-dir', str(tmp_path), *argv[1:]])
    assert message in str(error.value)


def test_an_image_that_cannot_be_read_is_named(train, project):
    """Of a plain model too."""
    image = next((project / 'images').rglob('*.png'))
    content = image.read_bytes()
    image.write_bytes(b'')
    options = ['--cfg-options', 'experiment_name=bad-image']
    try:
        with pytest.raises(SystemExit) as error:
            train.main(['tiny.py', '--work-dir', 'bad-image', *options])
    finally:
        image.write_bytes(content)
    assert f'{image.name} (0 bytes)' in str(error.value)


def test_the_traceback_is_there_for_who_asks(train):
    with pytest.raises(FileNotFoundError, match='Close names: tiny.py'):
        train.main(['tinny.py', '--traceback'])


def test_work_dir_of_the_command_line_then_config_then_name(train):
    common = sys.modules['_common']
    parser = train.make_parser

    def work_dir(*argv):
        args = common.parse_args(parser(), ['tiny.py', *argv])
        return common.load_config(args).work_dir

    in_config = ['--cfg-options', 'work_dir=from_config']
    assert work_dir('--work-dir', 'cli', *in_config) == 'cli'
    assert work_dir(*in_config) == 'from_config'
    assert work_dir() == os.path.join('work_dirs', 'tiny')


def test_amp(train, monkeypatch):
    from mmengine.config import Config

    cfg = Config(dict(optim_wrapper=dict(optimizer=dict(type='SGD'))))
    monkeypatch.setattr(train, 'get_device', lambda: 'mps')
    with pytest.raises(SystemExit, match="offers only 'mps'"):
        train.apply_amp(cfg)
    monkeypatch.setattr(train, 'get_device', lambda: 'cuda')
    assert train.apply_amp(cfg) == []
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.loss_scale == 'dynamic'
    cfg.optim_wrapper.loss_scale = 8.0
    assert 'already' in train.apply_amp(cfg)[0]
    assert cfg.optim_wrapper.loss_scale == 8.0


def test_amp_trains(project, train):
    """With a scaler on a GPU, in bfloat16 without one on the CPU."""
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
    assert ('loss_scaler' in saved['optimizer']) == torch.cuda.is_available()
    if not torch.cuda.is_available():
        assert 'bfloat16 on the CPU' in log_of(project / 'amp')


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
