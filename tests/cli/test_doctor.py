"""`python -m mmmgd doctor`, in this environment and in small made-up ones.

The made-up ones are real virtual environments whose torch, mmengine, ... are
files of a few lines, so that each way of being broken can be had in a second.
"""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TORCH = """
class Tensor(list):
    def to(self, device): return self
    def numpy(self): return self
tensor = Tensor
def zeros(n): return Tensor([0] * n)
def ones(n): return Tensor([1] * n)
class cuda:
    is_available = staticmethod(lambda: False)
"""
OPERATORS = """
def get_compiling_cuda_version(): return 'not available'
def nms(boxes, scores, iou): return None, [0, 2]
"""
WORKING = {
    'torch/__init__.py': TORCH,
    'torchvision/ops.py': '',
    'mmengine/runner.py': '',
    'mmcv/ops.py': OPERATORS,
}
NO_OPERATORS = {
    'mmcv/ops.py': 'raise ImportError("No module named \'mmcv._ext\'")'
}
ONEDL = {
    'torch': '2.11.0',
    'torchvision': '0.26.0',
    'numpy': '2.4.6',
    'onedl-mmengine': '0.10.12',
    'onedl-mmcv': '2.3.6',
}
OPENMMLAB = {
    'torch': '2.1.2',
    'torchvision': '0.16.2',
    'numpy': '1.26.4',
    'mmengine': '0.10.7',
    'mmcv': '2.1.0',
}


def doctor(python=sys.executable, *args):
    """Runs the command; returns (exit status, what it printed)."""
    done = subprocess.run(
        [python, '-m', 'mmmgd', 'doctor', *args],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.fixture
def patient(tmp_path):
    """Returns a function that examines an environment with given contents."""

    def examine(dists, files):
        venv.create(tmp_path, symlinks=True)
        (site,) = tmp_path.glob('lib/python3*/site-packages')
        for name, text in files.items():
            path = site / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for name, version in dists.items():
            info = site / f'{name.replace("-", "_")}-{version}.dist-info'
            info.mkdir()
            text = f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n'
            (info / 'METADATA').write_text(text)
        return doctor(str(tmp_path / 'bin' / 'python'))

    return examine


def test_this_environment_is_well():
    status, text = doctor()

    assert status == 0, text
    assert 'no problems' in text or 'all is well' in text
    assert any(f'stack       {s}\n' in text for s in ('OneDL', 'OpenMMLab'))
    assert 'operators   load on cpu' in text
    assert 'yes  classification (mmpretrain)' in text


def test_nothing_installed(patient):
    status, text = patient({}, {})

    assert status == 1
    assert 'torch is not installed' in text
    assert 'pip install torch==2.11.0 torchvision==0.26.0' in text
    assert '1 problem(s)' in text, 'the cause only, not what follows from it'


def test_absent_codebases_are_said_but_are_no_error(patient):
    status, text = patient(ONEDL, WORKING)

    assert status == 0, text
    for pin in ('onedl-mmdetection==3.5.1', 'onedl-mmpretrain==1.3.6'):
        assert f'pip install {pin}\n' in text
    assert 'pip install mmrazor==1.0.0 joblib\n' in text


def test_commands_are_those_of_the_stack_that_is_there(patient):
    status, text = patient(OPENMMLAB, WORKING)

    assert status == 0, text
    assert 'stack       OpenMMLab\n' in text
    assert 'pip install mmdet==3.3.0\n' in text
    assert 'onedl' not in text


def test_broken_codebase(patient):
    dists = {**ONEDL, 'onedl-mmdetection': '3.5.1'}
    broken = {'mmdet/models.py': "raise AssertionError('MMCV==9 is used')"}

    status, text = patient(dists, {**WORKING, **broken})

    assert status == 1
    assert 'mmdet does not work: AssertionError: MMCV==9 is used' in text
    assert 'pip uninstall -y onedl-mmdetection && ' in text
    assert text.count('\n    fix: ') == 1


def test_missing_third_party_library(patient):
    dists = {**ONEDL, 'onedl-mmsegmentation': '1.4.2'}

    status, text = patient(dists, {**WORKING, 'mmseg/models.py': 'import cv2'})

    assert status == 1
    assert '-m pip install opencv-python-headless\n' in text


TABLE = "MODULE2PACKAGE = {'mmseg': 'mmsegmentation'}\n"


@pytest.mark.parametrize(
    ('dists', 'seen'),
    [
        ({**ONEDL, 'onedl-mmsegmentation': '1.4.2'}, True),
        ({**OPENMMLAB, 'mmsegmentation': '1.2.2'}, False),
    ],
)
def test_mmseg_paths_that_other_tools_cannot_read_are_noted(
    patient, dists, seen
):
    files = {'mmengine/config/utils.py': TABLE, 'mmseg/models.py': '',
             'mmseg/datasets.py': ''}  # fmt: skip
    status, text = patient(dists, {**WORKING, **files})

    assert status == 0, text
    assert ('note: ' in text) == seen
    assert ('python -m mmmgd.compat SCRIPT' in text) == seen
    assert ('all is well' in text.splitlines()[-1]) != seen


def test_operators_are_needed_by_mmdet(patient):
    dists = {**ONEDL, 'onedl-mmdetection': '3.5.1'}
    files = {**WORKING, **NO_OPERATORS, 'mmdet/models.py': 'import mmcv.ops'}

    status, text = patient(dists, files)

    assert status == 1
    assert 'operators   do not load' in text
    assert text.count('\n    fix: ') == 1, 'one cause, one command'
    assert 'MMCV_WITH_OPS=1' in text
    assert '--no-cache-dir --no-deps onedl-mmcv==2.3.6' in text


def test_operators_are_not_needed_without_mmdet(patient):
    status, text = patient(ONEDL, {**WORKING, **NO_OPERATORS})

    assert status == 0, text
    assert 'operators   do not load' in text


def test_two_stacks_in_one_environment(patient):
    status, text = patient({**ONEDL, 'mmcv': '2.1.0'}, WORKING)

    assert status == 1
    assert 'OneDL and OpenMMLab mixed' in text
    assert 'pip uninstall -y onedl-mmengine onedl-mmcv mmcv && ' in text
    assert text.count('\n    fix: ') == 1


def test_a_crash_is_a_finding_and_the_rest_is_still_examined(patient):
    dists = {**ONEDL, 'onedl-mmdetection': '3', 'onedl-mmsegmentation': '1'}
    files = {
        'mmdet/models.py': 'import os; os.abort()',
        'mmseg/models.py': '',
        'mmseg/datasets.py': '',
    }

    status, text = patient(dists, {**WORKING, **files})

    assert status == 1
    assert 'mmdet does not work: the import ends Python (status -6)' in text
    assert 'yes  semantic segmentation (mmseg)' in text


def test_the_doctor_imports_nothing_that_can_be_broken():
    code = (
        'import sys, mmmgd.__main__, mmmgd.cli.doctor; '
        "print({'torch', 'numpy', 'mmengine', 'mmcv'} & set(sys.modules))"
    )
    out = subprocess.check_output(
        [sys.executable, '-c', code], cwd=ROOT, text=True
    )
    assert out == 'set()\n'


def test_usage():
    done = subprocess.run(
        [sys.executable, '-m', 'mmmgd'],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert 'doctor' in done.stderr

    status, text = doctor(sys.executable, '--fast')
    assert (status, 'takes no arguments' in text) == (2, True)
