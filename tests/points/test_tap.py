import weakref

import pytest
import torch
from torch import nn

from mmmgd.points.paths import split_point
from mmmgd.points.tap import FeatureTap, Released


class Net(nn.Module):
    """A trunk, a module that returns a tuple, a shared head, a spare."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 1)
        self.second = nn.Conv2d(4, 4, 1)
        self.relu = nn.ReLU(inplace=True)
        self.split = Split()
        self.head = nn.Conv2d(4, 2, 1)
        self.spare = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        x = self.first(x)
        x = self.relu(self.second(x))
        a, b = self.split(x)
        return self.head(a), self.head(b)


class Split(nn.Module):
    def forward(self, x):
        return x * 1, x * 2


def _image():
    return torch.randn(1, 3, 5, 5)


def test_features_are_what_the_modules_returned():
    net, x = Net(), _image()
    tap = FeatureTap(net, ['first', 'split[1]', 'split[-2]'], 'student')
    with tap.record() as features:
        net(x)
    expected = net.relu(net.second(net.first(x)))
    assert set(features) == {'first', 'split[1]', 'split[-2]'}
    torch.testing.assert_close(features['first'], net.first(x))
    torch.testing.assert_close(features['split[1]'], expected * 2)
    torch.testing.assert_close(features['split[-2]'], expected)


def test_nothing_after_the_deepest_point_runs():
    net = Net()
    calls = []
    for name, module in net.named_children():
        module.register_forward_hook(lambda *_, n=name: calls.append(n))
    tap = FeatureTap(net, ['first', 'second'], 'teacher')
    with tap.record(stop=True) as features:
        net(_image())
    assert calls == ['first', 'second']
    assert set(features) == {'first', 'second'}


def test_no_hook_is_left_behind():
    net = Net()
    tap = FeatureTap(net, ['first'], 'student')
    with pytest.raises(RuntimeError, match='expected input'), tap.record():
        net(torch.randn(1, 7, 5, 5))
    with tap.record():
        net(_image())
    assert not any(m._forward_hooks for m in net.modules())


def test_a_wrong_name_is_refused_with_close_names():
    message = "none named 'secnd'. Close names: 'second'"
    with pytest.raises(ValueError, match=message):
        FeatureTap(Net(), ['secnd'], 'student')


@pytest.mark.parametrize(
    ('point', 'message'),
    [
        ('split', r"returns 2 outputs.*'split\[0\]' to 'split\[1\]'"),
        ('split[2]', 'returns 2 outputs'),
        ('first[0]', "nothing to pick from. Write 'first'"),
        ('spare', "'spare' exists but did not run"),
        ('head', "'head' ran 2 times"),
    ],
)
def test_a_point_that_means_no_single_tensor_is_refused(point, message):
    net = Net()
    tap = FeatureTap(net, [point], 'student')
    with pytest.raises((ValueError, RuntimeError), match=message):  # noqa: SIM117
        with tap.record():
            net(_image())


def test_each_run_of_a_module_is_a_point():
    net, x = Net(), _image()
    tap = FeatureTap(net, ['head@0', 'head@1'], 'student')
    with tap.record() as features:
        outputs = net(x)
    assert torch.equal(features['head@0'], outputs[0])
    assert torch.equal(features['head@1'], outputs[1])
    with tap.record(stop=True) as features:  # not before the second run
        net(x)
    assert set(features) == {'head@0', 'head@1'}
    with (
        pytest.raises(RuntimeError, match="'head@2' exists but did not run"),
        FeatureTap(net, ['head@2'], 'student').record(),
    ):
        net(x)


def test_named_outputs_are_picked_by_name_or_number():
    from torchvision.ops import FeaturePyramidNetwork

    net = FeaturePyramidNetwork([4, 4], 2)
    maps = {'fine': torch.randn(1, 4, 8, 8), 'coarse': torch.randn(1, 4, 4, 4)}
    outer = nn.Sequential(net)
    with FeatureTap(outer, ['0[coarse]', '0[0]'], 'x').record() as features:
        outputs = outer(maps)
    assert torch.equal(features['0[coarse]'], outputs['coarse'])
    assert torch.equal(features['0[0]'], outputs['fine'])
    message = r"returns 2 outputs.*'0\[fine\]' to '0\[coarse\]'"
    with (
        pytest.raises(ValueError, match=message),
        FeatureTap(outer, ['0'], 'x').record(),
    ):
        outer(maps)


@pytest.mark.parametrize(
    'points',
    [['second'], ['second', 'split[0]'], ['first', 'second', 'split[1]']],
    ids=len,
)
def test_a_feature_that_is_overwritten_in_place_is_refused(points):
    net = Net()
    tap = FeatureTap(net, points, 'student')  # an in-place ReLU follows
    with (
        pytest.raises(RuntimeError, match="at 'second' was overwritten"),
        tap.record(),
    ):
        net(_image())


@pytest.mark.parametrize(
    ('point', 'expected'),
    [
        ('neck[0]', ('neck', 0, None)),
        ('neck[-1]', ('neck', -1, None)),
        ('fpn[pool]', ('fpn', 'pool', None)),
        ('head.convs.3@0', ('head.convs.3', None, 0)),
        ('head[1]@12', ('head', 1, 12)),
        ('neck.fpn_convs.0.conv', ('neck.fpn_convs.0.conv', None, None)),
    ],
)
def test_points_are_split(point, expected):
    assert split_point(point) == expected


def test_features_go_when_they_are_read_for_the_last_time():
    features = {'a': torch.ones(1), 'b': torch.zeros(1)}
    alive = [weakref.ref(x) for x in features.values()]
    released = Released(features, ['a', 'b', 'a'])
    features.clear()
    read = [released['a'].item(), released['b'].item()]
    assert [ref() is None for ref in alive] == [False, True]
    read.append(released['a'].item())
    assert [ref() is None for ref in alive] == [True, True]
    assert read == [1, 0, 1] and len(released) == 0
