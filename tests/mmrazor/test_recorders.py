"""MMRazor's recorders and deliveries, by numbers."""

import random
import sys

import pytest
import torch
from mmrazor import models  # noqa: F401  (fills the registries)
from mmrazor.models.task_modules import (
    DistillDeliveryManager,
    RecorderManager,
)
from torch import nn


class Source:
    """What recorders and deliveries look at; found by this module's name."""

    def draw(self) -> float:
        return random.random()

    def add(self, x, y=0):
        return x + y

    def take(self, x, y=0):
        return x - y


def draw():
    return random.random()


def double(x):
    return x * 2


def scale(x, by=1):
    return x * by


HERE = Source.__module__


def _record(model, run, **recorders):
    manager = RecorderManager(recorders)
    manager.initialize(model)
    run()  # before: not recorded
    with manager:
        run()
    return manager


def test_recorders_see_their_block_only():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    source = Source()
    numbers = iter([1, 10, 2, 20])

    def run():
        model(next(inputs))
        x, y = next(numbers), next(numbers)
        source.add(x, y=y)
        source.take(x, y=y)
        sys.modules[HERE].double(x)
        sys.modules[HERE].scale(x, by=5)

    second = torch.randn(2, 4, 2)
    inputs = iter(second)
    manager = _record(
        model,
        run,
        inputs=dict(type='ModuleInputs', source='1'),
        outputs=dict(type='ModuleOutputs', source='0'),
        weight=dict(type='Parameter', source='1.weight'),
        added=dict(type='MethodOutputs', source=f'{HERE}.Source.add'),
        arguments=dict(type='MethodInputs', source=f'{HERE}.Source.take'),
        doubled=dict(type='FunctionOutputs', source=f'{HERE}.double'),
        factor=dict(type='FunctionInputs', source=f'{HERE}.scale'),
    )

    def data(name, **kwargs):
        return manager.get_recorder(name).get_record_data(**kwargs)

    expected = model[0](second[1])
    torch.testing.assert_close(data('outputs'), expected)
    torch.testing.assert_close(data('inputs', data_idx=0), expected)
    assert data('weight') is model[1].weight
    assert data('added') == 22
    assert [data('arguments', data_idx=i) for i in (0, 1)] == [2, 20]
    assert data('doubled') == 4
    assert data('factor', data_idx=1) == 5
    with pytest.raises(AssertionError, match='record_idx is illegal'):
        data('outputs', record_idx=1)
    with pytest.raises(TypeError, match='should be a list or tuple'):
        data('added', data_idx=0)


@pytest.mark.parametrize(
    ('kind', 'source', 'error', 'message'),
    [
        ('ModuleOutputs', '7', AssertionError, '"7" is not in the model'),
        ('MethodOutputs', 'no.such.one', ImportError, 'is not imported'),
        ('MethodOutputs', f'{HERE}.Source.no', AssertionError, 'no is not in'),
        ('FunctionOutputs', 'short', AssertionError, 'must have at least'),
    ],
)
def test_a_source_that_is_not_there(kind, source, error, message):
    with pytest.raises(error, match=message):
        _record(nn.Sequential(), lambda: 0, a=dict(type=kind, source=source))


@pytest.mark.parametrize(
    'delivery',
    [
        dict(type='MethodOutputs', method_path=f'{HERE}.Source.draw'),
        dict(type='FunctionOutputs', func_path=f'{HERE}.draw'),
    ],
)
def test_the_student_gets_what_the_teacher_drew(delivery):
    manager = DistillDeliveryManager(dict(a=dict(delivery, max_keep_data=2)))
    method = delivery['type'] == 'MethodOutputs'

    def draw():
        return Source().draw() if method else sys.modules[HERE].draw()

    manager.override_data = False
    with manager:
        teacher = [draw(), draw()]
        with pytest.raises(AssertionError, match='push into an full queue'):
            draw()
    manager.override_data = True
    with manager:
        assert [draw(), draw()] == teacher
        with pytest.raises(AssertionError, match='pop from an empty queue'):
            draw()
    assert teacher[0] != teacher[1] and draw() not in teacher
