"""What the documents claim, checked against the code."""

import re
import sys
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import get_priority

from mmmgd import hooks
from mmmgd.models import MGDDistill
from mmmgd.registry import MODELS as REGISTRY

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tools/dev'))

import docs_links  # noqa: E402


def _text(name):
    return (ROOT / name).read_text('utf-8')


def _python_blocks(text):
    return re.findall(r'^```python\n(.*?)^```$', text, re.DOTALL | re.M)


def test_the_config_of_the_readme_is_the_recipe(tmp_path):
    pytest.importorskip('mmpretrain')
    from mmmgd.config import read_config

    (block,) = _python_blocks(_text('README.md'))
    file = tmp_path / 'config.py'
    file.write_text(block)
    name = 'mgd-channel_resnet34_resnet18_8xb32_in1k.py'
    recipe = read_config(str(ROOT / 'configs/classification' / name))
    assert read_config(str(file)).model == recipe.model


def test_hooks_have_the_priorities_of_the_table():
    rows = re.findall(
        r'^\| `(\w+)`(?: \(MMEngine\))? \| (\w+) \|',
        _text('docs/architecture.md'),
        re.M,
    )
    assert {name for name, _ in rows} > {*hooks.__all__}
    numbers = []
    for name, text in rows:
        hook: type[Hook] = HOOKS.get(f'mmmgd.{name}') or HOOKS.get(name)
        number = get_priority(int(text) if text.isdigit() else text)
        assert number == get_priority(hook.priority), name
        numbers.append(number)
    assert numbers == sorted(numbers)


class Student(torch.nn.Module):
    """A model of one convolution that has a loss."""

    data_preprocessor = None

    def __init__(self, width):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, width, 3, padding=1)

    def init_weights(self):
        pass

    def forward(self, inputs, data_samples=None, mode='tensor'):
        out = self.conv(inputs)
        return dict(loss=out.mean()) if mode == 'loss' else out


def test_the_loss_and_the_connector_of_contributing_train():
    scope: dict = {}
    before = dict(REGISTRY._module_dict)
    REGISTRY._module_dict.pop('L1Loss', None)  # should there ever be one
    REGISTRY.register_module(name='DocStudent', module=Student)
    try:
        for block in _python_blocks(_text('CONTRIBUTING.md')):
            exec(block, scope)
        model = MGDDistill(
            student=dict(type='mmmgd.DocStudent', width=4),
            teacher=dict(
                config=dict(type='mmmgd.DocStudent', width=6),
                checkpoint=False,
            ),
            distill=dict(
                loss_doc=dict(
                    points='conv',
                    connector=dict(type='mmmgd.SmoothConnector'),
                    loss=dict(type='mmmgd.L1Loss', loss_weight=2),
                )
            ),
        )
        model.init_weights()
        images = torch.randn(2, 3, 8, 8)
        loss = model(images, mode='loss')['loss_doc']
        loss.backward()
        (connector,) = model.terms['loss_doc'].connectors
        student, teacher = model.student(images), model.teacher.module(images)
        expected = 2 * (connector(student) - teacher).abs().mean()
        torch.testing.assert_close(loss, expected)
        assert connector.align.weight.grad.abs().sum() > 0
        assert model.student.conv.weight.grad.abs().sum() > 0
    finally:
        REGISTRY._module_dict.clear()
        REGISTRY._module_dict.update(before)


def test_the_chinese_quick_start_has_the_same_commands():
    english = docs_links.blocks(_text('README.md'))
    assert docs_links.blocks(_text('docs/zh_cn.md')) == english
