"""Files that are no configs, and configs of rarer kinds."""

import json

import pytest
from cases import Case, play, table
from mmengine.config import Config

pytest.importorskip('mmpretrain')

LAZY = """
from mmengine.config import read_base
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper
from torch.optim import SGD
from mmmgd.hooks import DistillHook

with read_base():
    from .base import *
optim_wrapper.update(type=OptimWrapper, optimizer=dict(type=SGD, lr=0.01))
default_hooks.update(
    checkpoint=dict(type=CheckpointHook, interval=1),
    distill=dict(type=DistillHook))
"""
WRAPPERS = """
optim_wrapper = dict(_delete_=True, type='OptimWrapperDict')
"""


def _file(content, name='c.py'):
    """Write a file, and train with it."""

    def before(scene):
        data = content if isinstance(content, bytes) else content.encode()
        (scene.folder / name).write_bytes(data)

    return dict(before=before, tool=lambda s: s.train(config=name))


def _dumped(suffix):
    """Train with the base config in another language."""

    def before(scene):
        cfg = Config.fromfile(scene.folder / 'base.py').to_dict()
        path = scene.folder / f'd{suffix}'
        if suffix == '.json':
            path.write_text(json.dumps(cfg))
        else:
            Config(cfg).dump(str(path))

    return dict(before=before, tool=lambda s: s.train(config=f'd{suffix}'))


@table(
    Case('no such file', tool=lambda s: s.train(config='cc.py'),
         told="'cc.py', but there is no such file.*Close names: c.py"),
    Case('a folder', tool=lambda s: s.train(config='images'),
         told="'images', but there is no such file"),
    Case('an empty file', told="`model` in the config 'c.py'.*none",
         **_file('')),
    Case('a picture', told="c.py", **_file(bytes(range(256)))),
    Case('another encoding', told="c.py.*(utf-8|decode)",
         **_file("x = 'wörk'\n".encode('latin-1'))),
    Case('a typing error', told="c.py' is no Python: line 2",
         **_file("_base_ = 'base.py'\nx = dict(\n"), fast=True),
    Case('an error while it runs', told='c.py.*ZeroDivisionError',
         **_file("_base_ = 'base.py'\nx = 1 / 0\n")),
    Case('an import that fails', told="c.py.*No module named 'nowhere'",
         **_file("_base_ = 'base.py'\nimport nowhere\n")),
    Case('a base that is not there', told="bass.py.*Close names: base.py",
         **_file("_base_ = 'bass.py'\n")),
    Case('a base that is itself', told='c.py.*itself',
         **_file("_base_ = 'c.py'\n")),
    Case('two bases with one key', told='Duplicate key.*model',
         before=lambda s: [
             (s.folder / 'd.py').write_text('model = dict(x=1)'),
             (s.folder / 'c.py').write_text("_base_ = ['base.py', 'd.py']")]),
    Case('a name that a base does not have', told='modle',
         config='x = _base_.modle'),
    Case('a text file', told="txt", **_file('model = 1', 'c.txt')),
    Case('a list', told='d.json', **_file('[1, 2]', 'd.json')),
    Case('half a json', told='d.json', **_file('{"model": {', 'd.json')),
    Case('the reserved name of the student', fast=True,
         told='another name than student.py',
         **_file("_base_ = 'base.py'\n", 'student.py')),
    Case('JSON', good=lambda s: s.state(), **_dumped('.json')),
    Case('YAML', good=lambda s: s.state(), **_dumped('.yaml')),
    Case('lazy imports', good=lambda s: s.state(), **_file(LAZY)),
    Case('a name that no import brings', told="c.py.*'CheckpointHook'",
         **_file(LAZY.replace('CheckpointHook\n', 'NoSuchHook\n', 1))),
    Case('custom_imports that fail', told='no_such_module',
         config="custom_imports = dict(imports=['no_such_module'])"),
    Case('an unknown model', told='MGDDistil is not in',
         config="model = dict(type='mmmgd.MGDDistil')"),
    Case('the plain student, and distill=None', good=lambda s: s.state(),
         config="model = dict(_delete_=True, **_base_.model.student)\n"
                'default_hooks = dict(distill=None)'),
    Case('no model', told='model', config='model = None'),
    Case('no optimizer', told='optim', config='optim_wrapper = None'),
    Case('no data', told='train_dataloader', config='train_dataloader = None'),
    Case('no train_cfg', told='train_cfg', config='train_cfg = None'),
    Case('no validation', good=lambda s: s.state(),
         config='val_cfg = val_dataloader = val_evaluator = None'),
    Case('half a validation', told='val_', config='val_evaluator = None'),
    Case('default_hooks of None', told='DistillHook',
         config='default_hooks = None'),
    Case('several optimizers without a constructor', told='optim',
         config=WRAPPERS),
    Case('a scheduler of nothing', told='NoLR is not in',
         config="param_scheduler = dict(type='NoLR')"),
    Case('a schedule that is over before it begins',
         told='end.*begin|begin.*end',
         config="param_scheduler = dict(type='LinearLR', begin=5, end=2)"),
    Case('a hook of nothing', told='NoHook is not in',
         config="custom_hooks = [dict(type='NoHook')]"),
    Case('a scope that is not installed', told='mmyolo',
         config="model = dict(student=dict(type='mmyolo.YOLODetector'))"),
)  # fmt: skip
def test_it(scene, case):
    play(scene, case)
