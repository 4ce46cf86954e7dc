"""With MMPretrain alone, classification works."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {'mmdet', 'mmseg', 'mmrazor', 'mmcls'}:
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)

sys.meta_path.insert(0, Absent())

import torch
from mmengine.registry import MODELS, DefaultScope
from mmmgd.config import read_config
from mmpretrain.structures import DataSample

cfg = read_config(sys.argv[1])
cfg.model.teacher.checkpoint = False
cfg.model.data_preprocessor = cfg.data_preprocessor
with DefaultScope.overwrite_default_scope('mmpretrain'):
    model = MODELS.build(cfg.model)
model.init_weights()
losses = model(torch.randn(2, 3, 64, 64),
               [DataSample().set_gt_label(i) for i in range(2)], mode='loss')
print(sorted(losses))
"""


def test_classification_needs_no_other_codebase():
    config = 'mgd-channel-wsld_resnet34_resnet18_8xb32_in1k.py'
    done = subprocess.run(
        [sys.executable, '-c', CODE, f'configs/classification/{config}'],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "['loss', 'loss_mgd', 'loss_wsld']" in done.stdout, done.stderr


def test_importing_the_package_imports_nothing_heavy():
    code = "import mmmgd, sys; print({'torch', 'mmengine'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert done.stdout == 'set()\n', done.stderr
