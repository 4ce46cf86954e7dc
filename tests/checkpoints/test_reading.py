"""Files that would run code are refused, at every door."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, load_checkpoint
from mmengine.runner.checkpoint import load_from_local

from mmmgd.checkpoints.latest import find_latest
from mmmgd.checkpoints.reading import CheckpointError, read_file
from mmmgd.checkpoints.state_dicts import read_state_dict

WEIGHTS = {'weight': torch.arange(6.0).reshape(2, 3)}


class Malicious:
    """Makes a folder as soon as it is unpickled."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.fixture
def bait(tmp_path):
    """A checkpoint that would make a folder, and that folder."""
    target = tmp_path / 'hacked'
    path = tmp_path / 'epoch_1.pth'
    torch.save(
        {
            'state_dict': WEIGHTS,
            'meta': {'epoch': 1, 'iter': 4, 'x': Malicious(target)},
            'optimizer': {},
            'message_hub': {},
        },
        path,
    )
    yield path, target
    assert not target.exists()


TORCHS = ['torch'] if hasattr(torch.serialization, 'safe_globals') else []


@pytest.fixture(params=[*TORCHS, 'own'])
def reader(request, monkeypatch):
    """torch's restricted reader, and the one for torch before 2.5."""
    if request.param == 'own':
        monkeypatch.delattr(torch.serialization, 'safe_globals', False)


def test_the_bait_bites(bait):
    """MMEngine's own reader runs it: else the tests below show nothing."""
    path, target = bait
    torch.load(path, weights_only=False)
    assert target.is_dir()
    target.rmdir()


def test_our_readers_refuse(bait, reader):
    path, _ = bait
    with pytest.raises(CheckpointError, match='mkdir.*MMMGD_TRUST='):
        read_state_dict(str(path))


@pytest.mark.parametrize('scheme', ['', 's3://'])
def test_mmengine_refuses(bait, guarded, monkeypatch, scheme):
    path, _ = bait
    monkeypatch.setattr(
        'mmmgd.checkpoints.reading.get_file_backend',
        lambda *args, **kwargs: type(
            'Store', (), {'get': lambda self, name: path.read_bytes()}
        )(),
    )
    with pytest.raises(CheckpointError, match='mkdir'):
        load_checkpoint(torch.nn.Linear(3, 2), f'{scheme}{path}')


def test_a_published_name_is_read_safely(bait, guarded, monkeypatch):
    path, _ = bait
    monkeypatch.setattr('torch.hub.get_dir', lambda: str(path.parent))
    (path.parent / 'checkpoints').mkdir()
    from mmengine.runner.checkpoint import get_external_models

    name, url = next(
        (n, u) for n, u in get_external_models().items() if '://' in u
    )
    cached = path.parent / 'checkpoints' / url.rpartition('/')[2]
    cached.write_bytes(path.read_bytes())
    for source in (url, f'open-mmlab://{name}'):
        with pytest.raises(CheckpointError, match='mkdir'):
            CheckpointLoader.load_checkpoint(source)


@pytest.mark.parametrize('door', ['load_from', 'resume', 'auto', 'teacher'])
def test_training_refuses(
    bait, guarded, run, runner_cfg, distiller_cfg, classifier_cfg, door
):
    path, _ = bait
    model = distiller_cfg()
    if door == 'teacher':
        model['teacher']['checkpoint'] = str(path)
    cfg = runner_cfg(model, work_dir=str(path.parent / 'run'))
    if door in ('load_from', 'resume'):
        cfg.load_from = str(path)
    if door == 'auto':
        (path.parent / 'run').mkdir()
        bad = path.rename(path.parent / 'run' / path.name)
        (bad.parent / 'last_checkpoint').write_text(str(bad))
    # As a stock tool has it: only DistillHook can put the guard there.
    CheckpointLoader.register_scheme('', load_from_local, force=True)
    with pytest.raises(CheckpointError, match='mkdir'):
        run(cfg, resume=door in ('resume', 'auto'))


def test_inheriting_and_pretrained_weights_are_refused(
    bait, guarded, run, runner_cfg, distiller_cfg, classifier_cfg
):
    path, _ = bait
    model = distiller_cfg(inherit=['head'])
    model['teacher']['config'] = classifier_cfg()
    model['teacher']['checkpoint'] = str(path)
    with pytest.raises(CheckpointError, match='mkdir'):
        run(runner_cfg(model))
    model = distiller_cfg()
    model['student']['backbone']['init_cfg'] = dict(
        type='Pretrained', checkpoint=str(path)
    )
    with pytest.raises(CheckpointError, match='mkdir'):
        run(runner_cfg(model))


def test_resuming_does_not_fall_back_on_a_file_with_code(bait):
    path, _ = bait
    (path.parent / 'last_checkpoint').write_text('')
    with pytest.raises(CheckpointError, match='epoch_1.pth.*mkdir'):
        find_latest(path.parent)


@pytest.mark.parametrize('keep', [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, reader, keep):
    path = tmp_path / 'x.pth'
    torch.save({'state_dict': {'w': torch.randn(4000)}}, path)
    data = path.read_bytes()
    size = keep if isinstance(keep, int) else int(keep * len(data))
    path.write_bytes(data[:size])
    with pytest.raises(CheckpointError, match='truncated or dam|not a check'):
        read_file(str(path))


def test_a_file_may_name_no_attribute_but_statistics(tmp_path, reader):
    class Names:
        def __reduce__(self):
            return getattr, (HistoryBuffer, '__init__')

    path = str(tmp_path / 'x.pth')
    torch.save({'x': Names()}, path)
    with pytest.raises(CheckpointError, match='getattr.*__init__.*refused'):
        read_file(path)


def test_a_trusted_file_is_read(bait, monkeypatch, tmp_path):
    path, target = bait
    monkeypatch.setenv('MMMGD_TRUST', f'/elsewhere.pth:{path}')
    assert read_file(str(path))['meta']['epoch'] == 1
    assert target.is_dir()  # the user said so
    target.rmdir()


def test_what_mmengine_writes_is_read_by_both(
    run, runner_cfg, distiller_cfg, tmp_path, reader
):
    # The milestones of a schedule are a Counter.
    schedule = dict(type='MultiStepLR', milestones=[1], gamma=0.1)
    run(runner_cfg(distiller_cfg(), param_scheduler=schedule))
    file = read_file(str(tmp_path / 'work' / 'epoch_1.pth'))
    expected = torch.load(
        tmp_path / 'work' / 'epoch_1.pth', weights_only=False
    )
    assert file.keys() == expected.keys()
    for key, value in expected['state_dict'].items():
        assert torch.equal(file['state_dict'][key], value)
    schedulers = file['param_schedulers']
    assert schedulers == expected['param_schedulers'] and schedulers
    history = file['message_hub']['log_scalars']['train/loss_mgd']
    assert history.mean() == (
        expected['message_hub']['log_scalars']['train/loss_mgd'].mean()
    )


@pytest.mark.parametrize(
    'converter',
    [
        ['distilled.py', '--config', 'configs/demo/classification_mgd.py'],
        ['solo_original.py'],
    ],
)
def test_converters_refuse(bait, tmp_path, converter):
    """Each as the command it is, in a process of its own."""
    name, *options = converter
    root = Path(__file__).parents[2]
    script = root / 'tools' / 'model_converters' / name
    done = subprocess.run(
        [sys.executable, script, bait[0], tmp_path / 'out.pth', *options],
        cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert 'mkdir' in done.stderr
    assert not (tmp_path / 'out.pth').exists()
