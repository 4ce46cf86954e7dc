"""The teacher's own size of the student's batch."""

import pytest
import torch
import torch.nn.functional as F

from mmmgd.teacher.inputs import InputAdapter, InputSize
from mmmgd.teacher.normalization import Normalization

RAW = Normalization(False, (0.0,), (1.0,), 0.0)
SHIFTED = Normalization(False, (5.0,), (2.0,), -3.0)


@pytest.mark.parametrize(
    ('arguments', 'image', 'expected'),
    [
        (dict(), (97, 133), (97, 133)),
        (dict(input_size=224), (97, 133), (224, 224)),
        (dict(input_size=(160, 224)), (97, 133), (160, 224)),
        (dict(multiple_of=14), (224, 512), (224, 518)),
        (dict(multiple_of=14), (801, 1333), (798, 1330)),
        (dict(multiple_of=14), (5, 8), (14, 14)),
    ],
)
def test_sizes(arguments, image, expected):
    assert InputSize(**arguments).of(image) == expected


@pytest.mark.parametrize(
    'arguments',
    [
        dict(input_size='big'),
        dict(input_size=(1, 2, 3)),
        dict(input_size=0),
        dict(input_size=224.0),
        dict(multiple_of=0),
        dict(multiple_of=(14, 14)),
        dict(multiple_of='14'),
        dict(input_size=224, multiple_of=14),
    ],
)
def test_what_is_no_size_is_refused(arguments):
    with pytest.raises(ValueError, match='Expected.*but got'):
        InputSize(**arguments)


def test_numbers_come_before_the_size():
    adapter = InputAdapter(RAW, SHIFTED, InputSize(multiple_of=14))
    batch = torch.randn(2, 3, 32, 64, dtype=torch.float64)
    inputs, images = adapter(batch)
    expected = F.interpolate(
        (batch - 5) / 2,
        (28, 70),
        mode='bilinear',
        align_corners=False,
        antialias=True,
    )
    torch.testing.assert_close(inputs, expected)
    assert images is None


def test_padding_stays_padding():
    adapter = InputAdapter(RAW, SHIFTED, InputSize(input_size=(64, 32)))
    batch = torch.zeros(2, 3, 32, 32)
    batch[0] = 7
    batch[1, :, :16, :24] = 7
    inputs, images = adapter(batch, [(32, 32), (16, 24)])
    assert images == [(64, 32), (32, 24)]
    torch.testing.assert_close(inputs[0], torch.ones(3, 64, 32))
    # beside one position where image and padding meet
    torch.testing.assert_close(
        inputs[1, :, 34:], torch.full((3, 30, 32), -3.0)
    )
    torch.testing.assert_close(
        inputs[1, :, :, 25:], torch.full((3, 64, 7), -3.0)
    )
    torch.testing.assert_close(inputs[1, :, :30, :23], torch.ones(3, 30, 23))


def test_the_same_size_leaves_the_batch_alone():
    batch = torch.randn(1, 3, 28, 42)
    adapter = InputAdapter(RAW, RAW, InputSize(multiple_of=14))
    assert adapter(batch)[0] is batch
