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
    seen = dry_pass(net, ['body'], 'student', size=64)
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
    assert dry_pass(net, ['1'], 'student').shapes == {'1': (1, 2, 128, 128)}


def test_slices_of_an_image_are_no_channels_of_it():
    """As in YOLOX: four slices of a colour image go to a convolution."""
    net = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 5, 1))
    assert dry_pass(net, ['1'], 'student').shapes == {'1': (1, 5, 64, 64)}


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
