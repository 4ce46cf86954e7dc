"""The commands of the package from the wheel alone, in an empty folder."""

import importlib.util
import json
import re

import numpy as np
import pytest
from PIL import Image

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not importlib.util.find_spec('mmpretrain'),
        reason='needs MMPretrain',
    ),
]
PYTHON = ('python', '-m', 'mmmgd')

# The student's config of a newcomer: their own images, one short epoch.
STUDENT = """
_base_ = 'mmmgd::demo/classification_baseline.py'

train_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
train_dataloader = dict(
    _delete_=True,
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CustomDataset', data_prefix='images', pipeline=train_pipeline
    ),
)
val_dataloader = train_dataloader
test_dataloader = train_dataloader
train_cfg = dict(max_epochs=1, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1))
"""


@pytest.fixture
def folder(tmp_path):
    """16 small images of two classes, a student and a teacher's config."""
    rng = np.random.default_rng(0)
    for label in ('dark', 'light'):
        (tmp_path / 'images' / label).mkdir(parents=True)
        for i in range(8):
            level = 80 * (label == 'light')
            pixels = rng.integers(level, level + 120, (32, 32, 3))
            Image.fromarray(pixels.astype('uint8')).save(
                tmp_path / 'images' / label / f'{i}.png'
            )
    (tmp_path / 'student.py').write_text(STUDENT)
    (tmp_path / 'teacher.py').write_text(
        "_base_ = 'student.py'\n"
        'model = dict(backbone=dict(stem_channels=8, base_channels=8), '
        'head=dict(in_channels=64))\n'
    )
    return tmp_path


def test_new_inspect_train_and_test(environment, folder):
    run = environment('mmpretrain')

    def mmmgd(*words):
        return run(*PYTHON, *words, cwd=folder).stdout

    where = run(
        'python', '-c', 'import mmmgd; print(mmmgd.__file__)', cwd=folder
    )
    assert where.stdout.startswith(str(run.folder))
    mmmgd('train', 'teacher.py')
    mmmgd('new', 'student.py', '--teacher', 'work_dirs/teacher')
    assert 'Before step 1' in mmmgd('inspect', 'my_distill.py')
    mmmgd('train', 'my_distill.py')
    mmmgd(
        *('test', 'my_distill.py', 'work_dirs/my_distill/epoch_1.pth'),
        *('--out', 'metrics.json'),
    )
    metrics = json.loads((folder / 'metrics.json').read_text())
    assert 0 <= metrics['accuracy/top1'] <= 100
    # Nothing was written beside the package.
    assert not list(run.folder.glob('lib/python3*/site-packages/*/work_dirs'))


def test_a_recipe_is_a_base_and_has_a_name(environment, tmp_path):
    run = environment('mmpretrain')
    recipe = (
        'mmmgd::classification/mgd-channel_resnet34_resnet18_8xb32_in1k.py'
    )
    (tmp_path / 'mine.py').write_text(
        f'_base_ = {recipe!r}\nmodel = dict(teacher=dict(checkpoint=False))\n'
    )
    words = [(*PYTHON, 'inspect', 'mine.py'), ('mmmgd', 'inspect', 'mine.py')]
    module, script = (run(*w, cwd=tmp_path).stdout for w in words)
    assert module == script
    assert re.search(
        r'loss_mgd +backbone\.layer4 512x7x7 /32 <- backbone\.layer4 512x7x7',
        module,
    )
    by_name = run(*PYTHON, 'inspect', recipe, cwd=tmp_path, status=0)
    assert 'backbone.layer4' in by_name.stdout


def test_the_demo_writes_into_the_current_folder(environment, tmp_path):
    pytest.importorskip('sklearn')
    run = environment('mmpretrain')
    (mim,) = run.folder.glob('lib/python3*/site-packages/mmmgd/.mim')
    before = sorted(path.name for path in mim.iterdir())
    words = ('--tasks', 'classification', '--students', 'baseline')
    said = run(*PYTHON, 'run', 'demo', *words, cwd=tmp_path).stdout
    assert re.search(r'teacher +9\d\.\d\d\n +student alone +\d\d\.\d\d', said)
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ['data', 'work_dirs']
    results = (tmp_path / 'work_dirs/demo/results.json').read_text()
    assert json.loads(results)['classification']['baseline']['mean'] > 50
    assert sorted(path.name for path in mim.iterdir()) == before


def test_doctor_lists_the_tools_and_the_pins(environment, tmp_path):
    run = environment('mmpretrain')
    listed = run(*PYTHON, 'run', cwd=tmp_path, status=2).stdout
    assert {'digits', 'demo', 'distilled'} <= set(listed.split())
    told = run(*PYTHON, 'doctor', cwd=tmp_path).stdout
    assert re.search(r'yes +classification', told)
    # The pins are those that pip recorded, for there is no checkout.
    assert re.search(r'no +semantic.*pip install onedl-mmseg\S+==', told)
