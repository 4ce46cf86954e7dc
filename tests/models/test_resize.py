"""Maps of two sizes, against torch and against a pencil."""

import pytest
import torch
import torch.nn.functional as F

from mmmgd.models.resize import resize_map


def test_down_by_an_integer_is_the_mean_of_each_area():
    x = torch.arange(32, dtype=torch.float64).view(1, 2, 4, 4)
    expected = x.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
    torch.testing.assert_close(resize_map(x, (2, 2)), expected)


def test_up_by_an_integer_lies_over_the_same_image():
    """With align_corners=False, corners keep their value for half a step."""
    x = torch.tensor([[0.0, 4.0]], dtype=torch.float64).view(1, 1, 1, 2)
    expected = torch.tensor([0.0, 1, 3, 4], dtype=torch.float64)
    up = resize_map(x, (2, 4))
    torch.testing.assert_close(up, expected.expand(1, 1, 2, 4))
    # and down again, the mean of the whole is what it was
    torch.testing.assert_close(
        resize_map(up, (1, 1)), x.mean().view(1, 1, 1, 1)
    )


@pytest.mark.parametrize(
    ('size', 'arguments'),
    [
        ((32, 32), dict(mode='area')),
        ((7, 33), dict(mode='area')),
        ((66, 66), dict(mode='bilinear', align_corners=False)),
        ((40, 20), dict(mode='bilinear', align_corners=False)),
    ],
)
def test_it_is_interpolate_with_these_arguments(size, arguments):
    x = torch.randn(2, 3, 33, 33, dtype=torch.float64)
    assert torch.equal(
        resize_map(x, size), F.interpolate(x, size, **arguments)
    )


def test_the_same_size_is_the_same_tensor():
    x = torch.randn(1, 2, 3, 4)
    assert resize_map(x, (3, 4)) is x
