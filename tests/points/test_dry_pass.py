import pytest
import torch
from torch import nn

from mmmgd.points.dry_pass import dry_pass


class Attention(nn.Module):
    """Uses a weight without calling the module that owns it."""

    def __init__(self):
        super().__init__()
        self.out_proj = nn.Linear(4, 4)

    def forward(self, x):
        return x @ self.out_proj.weight


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(4))
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4)
        )
        self.head = nn.ModuleList([Head()])

    def forward(self, x):
        return self.head[0](self.body(x))


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = Attention()
        self.shared = nn.Conv2d(4, 2, 1)
        self.last = nn.Dropout()

    def forward(self, x):
        x = self.attention(x.movedim(1, -1)).movedim(-1, 1)
        return self.last(self.shared(x)), self.shared(x * 2)


def test_shapes_are_seen_and_the_model_stays_as_it_was():
    net = Net()
    net.body[1].eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    rng = torch.get_rng_state()
    seen = dry_pass(net, ['body'], 'student', (64, 64))
    assert seen.shapes == {'body': (1, 4, 32, 32)}
    assert net.head[0].last.training and not net.body[1].training
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key])
    assert torch.equal(torch.get_rng_state(), rng)
    assert not any(m._forward_hooks for m in net.modules())


@pytest.mark.parametrize('channels', [1, 3, 4])
def test_the_image_has_the_channels_that_the_model_takes(channels):
    """Grey images have one, RGB with depth or infrared four."""
    net = nn.Sequential(nn.Conv2d(channels, 5, 1), nn.Conv2d(5, 2, 1))
    assert dry_pass(net, ['1'], 'student').shapes == {'1': (1, 2, 224, 224)}


def test_slices_of_an_image_are_no_channels_of_it():
    """As in YOLOX: four slices of a colour image go to a convolution."""
    net = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 5, 1))
    assert dry_pass(net, ['1'], 'student').shapes == {'1': (1, 5, 112, 112)}


def test_the_running_part_is_told_from_the_rest():
    seen = dry_pass(Net(), ['body.0'], 'teacher')
    assert seen.runs('token')  # of the root itself, which started
    assert seen.runs('body.0.weight')
    assert not seen.runs('body.1.weight')  # after the point
    assert not seen.runs('head.0.shared.weight')
    # nor would it be expected of a file: below a module that runs fully
    assert dry_pass(Net(), ['body'], 'teacher').runs('body.2.weight')


def test_a_weight_used_without_its_module_belongs_to_the_pass():
    seen = dry_pass(Net(), ['head.0.attention'], 'teacher')
    assert seen.runs('head.0.attention.out_proj.weight')
    assert not seen.runs('head.0.shared.weight')


def test_it_runs_on_the_meta_device():
    with torch.device('meta'):
        net = Net()
    assert dry_pass(net, ['body'], 'student').shapes['body'][1] == 4


@pytest.mark.parametrize(
    ('point', 'error', 'message'),
    [
        ('boby', ValueError, "Close names: 'body'"),
        ('head.0.shared', RuntimeError, 'ran 2 times'),
        ('head.0.attention.out_proj', RuntimeError, 'did not run'),
    ],
)
def test_bad_points_are_refused(point, error, message):
    with pytest.raises(error, match=message):
        dry_pass(Net(), [point], 'student')


def test_a_model_that_fails_before_its_points_is_named():
    net = Net()
    net.body[1] = nn.BatchNorm2d(5)
    with pytest.raises(RuntimeError, match=r"student failed.*\['head.0.last"):
        dry_pass(net, ['head.0.last'], 'student')


class Pyramid(nn.Module):
    """Runs one head on two levels, and another twice on one."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.head = nn.ModuleDict(
            dict(levels=nn.Conv2d(4, 2, 1), twice=nn.Conv2d(4, 2, 1))
        )

    def forward(self, x):
        x = self.stem(x)
        levels = [x, x[..., ::2, ::2]]
        for level in levels:
            self.head['levels'](level)
        return [self.head['twice'](x) for _ in levels]


def test_a_module_that_runs_on_each_level_has_a_feature_for_each():
    seen = dry_pass(Pyramid(), ['head.levels', 'stem'], 'student', (64, 64))
    assert seen.levels == {'head.levels': 2, 'stem': 1}
    assert seen.shapes == {
        'stem': (1, 4, 32, 32),
        'head.levels@0': (1, 2, 32, 32),
        'head.levels@1': (1, 2, 16, 16),
    }
    one = dry_pass(Pyramid(), ['head.levels@1'], 'student', (64, 64))
    assert one.shapes == {'head.levels@1': (1, 2, 16, 16)}


def test_the_channels_of_the_image_are_those_of_the_first_convolution():
    assert dry_pass(Pyramid(), ['stem'], 'student', (64, 64)).channels == 1
    with pytest.raises(RuntimeError, match=r"'head.twice@0' to 'head.twice@1"):
        dry_pass(Pyramid(), ['head.twice'], 'student', (64, 64))


class Picky(nn.Module):
    """Takes images of one size, and returns tokens."""

    def __init__(self, size):
        super().__init__()
        self.size, self.patches = size, nn.Conv2d(3, 4, 16, 16)
        self.tokens = nn.Identity()

    def forward(self, x):
        assert x.shape[2:] == (self.size, self.size), 'wrong size'
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.tokens(torch.cat([x[:, :1], x], dim=1))


def test_the_first_size_that_the_model_takes():
    seen = dry_pass(Picky(384), ['tokens'], 'student')
    assert seen.image == (384, 384)
    assert seen.shapes == {'tokens': (1, 4, 24, 24)}
    assert seen.layouts['tokens'].prefix == 1
    with pytest.raises(RuntimeError, match='224x224 image.*wrong size'):
        dry_pass(Picky(160), ['tokens'], 'student')


def test_what_is_written_of_a_point_is_checked():
    net, fine = Picky(224), dict(tokens=dict(tokens=dict(prefix=1)))
    seen = dry_pass(net, ['tokens'], 'teacher', (224, 224), fine)
    assert seen.shapes['tokens'] == (1, 4, 14, 14)
    wrong = dict(tokens=dict(tokens=dict(prefix=3)))
    with pytest.raises(ValueError, match="teacher point 'tokens'.*not fit"):
        dry_pass(net, ['tokens'], 'teacher', (224, 224), wrong)
