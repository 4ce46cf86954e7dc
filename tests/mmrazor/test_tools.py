"""The demo's classification pair through MMRazor, by command lines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mmpretrain
import mmrazor
import pytest
import torch

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools'
CONFIG = ROOT / 'configs/demo/classification_mmrazor.py'
BASELINE = ROOT / 'configs/demo/classification_baseline.py'
DIGITS = ['--out', 'data/digits_few', '--train-per-class', '10']


@pytest.fixture
def call(tmp_path):
    def _call(*command):
        env = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
        done = subprocess.run(
            [sys.executable, '-W', 'ignore', *map(str, command)],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    return _call


def _short(epochs):
    return [
        '--cfg-options',
        f'train_cfg.max_epochs={epochs}',
        'train_cfg.val_interval=1',
        'default_hooks.checkpoint.interval=1',
    ]


def _tool(package):
    return Path(package.__file__).parent / '.mim/tools/train.py'


@pytest.mark.slow
def test_it_trains_resumes_and_is_evaluated(call, tmp_path):
    def ok(*command):
        code, said = call(*command)
        assert code == 0, said[-3000:]
        return said

    ok(TOOLS / 'dataset_converters/digits.py', *DIGITS)
    teacher = tmp_path / 'work_dirs/demo/classification/teacher'
    few = 'train_dataloader.dataset.data_root=data/digits_few/train'
    config = ROOT / 'configs/demo/classification_teacher.py'
    train = TOOLS / 'train.py'
    ok(train, config, '--work-dir', teacher, *_short(1), few)
    (teacher / 'epoch_1.pth').rename(teacher / 'last.pth')

    work_dir = tmp_path / 'run'
    ok(train, CONFIG, '--work-dir', work_dir, *_short(1))
    said = ok(train, CONFIG, '--work-dir', work_dir, *_short(2), '--resume')
    assert 'resumed epoch: 1, iter: 4' in said
    ok(train, CONFIG, '--work-dir', tmp_path / 'whole', *_short(2))
    ends = [tmp_path / d / 'epoch_2.pth' for d in ('run', 'whole')]
    for end in ends:
        state = torch.load(end, weights_only=False)['state_dict']
        assert state['architecture.head.fc.weight'].isfinite().all()

    # the same number as MMRazor's model and as the plain student
    plain = tmp_path / 'student.pth'
    converter = TOOLS / 'model_converters/distilled.py'
    ok(converter, ends[0], plain, '--config', BASELINE)
    ok(TOOLS / 'test.py', CONFIG, ends[0], '--out', 'a.json')
    ok(TOOLS / 'test.py', BASELINE, plain, '--out', 'b.json')
    found = json.loads((tmp_path / 'a.json').read_text())
    assert found == json.loads((tmp_path / 'b.json').read_text())
    assert 0 < found['accuracy/top1'] < 100

    # other people's tools: MMRazor's imports itself before any config
    theirs = [_tool(mmrazor), CONFIG, '--work-dir', 'theirs', *_short(1)]
    ok('-m', 'mmmgd.compat', *theirs)
    assert (tmp_path / 'theirs/epoch_1.pth').is_file()
    stock = [_tool(mmpretrain), CONFIG, '--no-persistent-workers']
    ok(*stock, '--work-dir', 'stock', *_short(1))
    assert (tmp_path / 'stock/epoch_1.pth').is_file()


def test_the_runner_of_scripts(call, tmp_path):
    script = tmp_path / 'folder' / 'script.py'
    script.parent.mkdir()
    (script.parent / 'beside.py').write_text('VALUE = 3')
    script.write_text(
        'import sys, beside, mmengine.config.utils as u\n'
        "print(__name__, sys.argv[1:], beside.VALUE, 'mmmgd' in sys.modules)"
    )
    code, said = call('-m', 'mmmgd.compat', script, '--x', '1')
    assert code == 0 and "__main__ ['--x', '1'] 3 True" in said
    code, said = call('-m', 'mmmgd.compat', 'nowhere.py')
    assert code == 1 and "path of a Python script, but got ['nowhere.py']" in (
        said
    )
