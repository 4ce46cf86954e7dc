"""Layouts that are found from shapes alone, and what they make of features."""

import pytest
import torch

from mmmgd.points.layout import Layout, infer_layout, stride_of

SQUARE, WIDE = (224, 224), (224, 448)


def _infer(*shapes, **written):
    return infer_layout(
        list(zip((SQUARE, WIDE), shapes, strict=False)), written
    )


@pytest.mark.parametrize(
    ('shapes', 'expected'),
    [
        (((1, 64, 28, 28), (1, 64, 28, 56)), Layout('NCHW')),
        (((1, 28, 28, 64), (1, 28, 56, 64)), Layout('NHWC')),
        # told apart by the second image only
        (((1, 28, 28, 28), (1, 28, 28, 56)), Layout('NCHW')),
        (((1, 28, 28, 28), (1, 28, 56, 28)), Layout('NHWC')),
        (((1, 512, 1, 1), (1, 512, 1, 1)), Layout('NCHW')),
        # convolutions without padding, as in LeNet: no stride explains them
        (((1, 6, 220, 220), (1, 6, 220, 444)), Layout('NCHW')),
        (((1, 49, 49, 120), (1, 49, 105, 120)), Layout('NHWC')),
        (((1, 196, 32), (1, 392, 32)), Layout('tokens', 0, 16)),
        (((1, 197, 32), (1, 393, 32)), Layout('tokens', 1, 16)),
        (((1, 201, 32), (1, 397, 32)), Layout('tokens', 5, 16)),
        (((1, 257, 384), (1, 513, 384)), Layout('tokens', 1, 14)),
        (((1, 49, 32), (1, 98, 32)), Layout('tokens', 0, 32)),
        # of a model that takes one size only
        (((1, 197, 32),), Layout('tokens', 1, 16)),
        (((1, 7, 7, 768),), Layout('NHWC')),
        (((1, 768, 7, 7),), Layout('NCHW')),
        (((1, 8, 7, 7),), Layout('NCHW')),
        (((1, 10), (1, 10)), Layout('vector')),
    ],
)
def test_the_layout_follows_from_the_shapes(shapes, expected):
    assert _infer(*shapes) == expected


@pytest.mark.parametrize(
    'shapes',
    [
        ((1, 100, 256), (1, 100, 256)),  # queries
        ((196, 1, 256), (392, 1, 256)),  # tokens first
        ((1, 32, 196), (1, 32, 392)),  # channels first
        ((1, 1045, 256), (1, 2090, 256)),  # of four levels at once
        ((1, 64, 28, 28), (1, 64, 56, 28)),  # width before height
        ((6, 1, 100, 256), (6, 1, 100, 256)),  # of six layers at once
        ((1, 8, 197, 197), (1, 8, 393, 393)),  # attention
        ((1, 512, 6, 6), (1, 512, 6, 6)),  # pooled to a fixed size
        ((1, 28, 28, 28),),  # of one square image
        ((1, 10, 32),),
        ((), ()),
    ],
)
def test_what_cannot_be_told_is_not_guessed(shapes):
    assert not _infer(*shapes).is_map
    assert _infer(*shapes).kind == 'unknown'


def test_what_is_written_counts():
    pooled = (1, 512, 6, 6), (1, 512, 6, 6)
    assert _infer(*pooled, layout='NCHW') == Layout('NCHW')
    assert _infer(*pooled, layout='NHWC') == Layout('NHWC')
    tokens = (1, 10, 32)  # 3x3 and one, or 2x2 and six?
    assert _infer(tokens, tokens=dict(prefix=6)) == Layout('tokens', 6, 112)
    assert _infer(tokens, tokens=dict(prefix=1)) == Layout('tokens', 1, 75)


@pytest.mark.parametrize(
    ('shapes', 'written', 'message'),
    [
        (((1, 197, 32), (1, 393, 32)), dict(tokens=dict(prefix=2)),
         r"\{'prefix': 2\} does not fit: it has \(1, 197, 32\).*224x224"),
        (((1, 64, 28, 28),), dict(tokens=dict(prefix=1)), 'does not fit'),
        (((1, 197, 32),), dict(layout='NHWC'), 'for features with four axes'),
    ],
)  # fmt: skip
def test_what_is_written_wrong_is_refused(shapes, written, message):
    with pytest.raises(ValueError, match=message):
        _infer(*shapes, **written)


@pytest.mark.parametrize('image', [(64, 96), (801, 1333), (33, 47)])
@pytest.mark.parametrize('prefix', [0, 1, 5])
@pytest.mark.parametrize('padded', [True, False], ids=['padded', 'cut'])
def test_tokens_lie_where_their_patches_lie(image, prefix, padded):
    h, w = (
        -(-x // 16) if padded else x // 16 for x in image
    )  # patches that do not fit in are padded, or cut off
    expected = torch.randn(2, 3, h, w)
    tokens = expected.flatten(2).transpose(1, 2)
    tokens = torch.cat([torch.full((2, prefix, 3), 9.0), tokens], dim=1)
    layout = Layout('tokens', prefix, 16)
    assert torch.equal(layout.as_map(tokens, image), expected)
    shape = layout.shape_as_map(tuple(tokens.shape), image)
    assert shape == tuple(expected.shape)


def test_channels_last_maps_become_channels_first():
    expected = torch.randn(2, 3, 4, 5)
    ours = Layout('NHWC').as_map(expected.permute(0, 2, 3, 1), (64, 80))
    assert torch.equal(ours, expected)
    assert Layout('NHWC').shape_as_map((2, 4, 5, 3), (64, 80)) == (2, 3, 4, 5)


def test_tokens_of_another_image_are_refused():
    with pytest.raises(RuntimeError, match='64x64 image, but got 16 tokens'):
        Layout('tokens', 1, 16).as_map(torch.zeros(1, 16, 3), (64, 64))


def test_strides():
    assert stride_of((1, 8, 28, 56), WIDE) == 8
    assert stride_of((1, 8, 16, 16), SQUARE) == 14
    assert stride_of((1, 8, 4, 4), SQUARE) == 64  # 3.5 of them
    assert stride_of((1, 8, 38, 38), (300, 300)) == 8  # 37.5
    assert stride_of((1, 8, 1, 1), (300, 300)) == 300
    assert stride_of((1, 8), WIDE) is None
