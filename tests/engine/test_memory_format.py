"""The operators of mmcv, and maps with the channels last.

The hook's own tests are in hooks/test_channels_last_hook.py.
"""

import pytest
import torch
from mmcv import ops

from mmmgd.engine.memory_format import guard_mmcv

X = torch.randn(2, 8, 12, 12, generator=torch.Generator().manual_seed(0))
ROIS = torch.tensor([[0.0, 1, 1, 10, 11], [1.0, 3, 2, 11, 9]])
TURNED = torch.tensor([[0.0, 5, 5, 8, 6, 0.3], [1.0, 7, 6, 5, 4, 0.1]])


def _normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


OFFSET, MASK = _normal(2, 18, 12, 12), _normal(2, 9, 12, 12).sigmoid()
KERNEL, BIAS = _normal(8, 8, 3, 3), torch.zeros(8)
CASES = {
    'roi_align': (lambda x: ops.roi_align(x, ROIS, 5, 0.5, 2), [X]),
    'roi_align_rotated': (
        lambda x: ops.roi_align_rotated(x, TURNED, 5, 0.5, 2),
        [X],
    ),
    'deform_conv2d': (
        lambda x, o, w: ops.deform_conv2d(x, o, w, 1, 1),
        [X, OFFSET, KERNEL],
    ),
    'modulated_deform_conv2d': (
        lambda x, o, m, w: ops.modulated_deform_conv2d(x, o, m, w, BIAS, 1, 1),
        [X, OFFSET, MASK, KERNEL],
    ),
}


def _result(operator, maps, order):
    """The output, and the gradients of all maps, of one memory format."""
    maps = [x.clone(memory_format=order).requires_grad_() for x in maps]
    output = operator(*maps)
    grad = _normal(*output.shape).clone(memory_format=order)
    output.backward(grad)
    return [output.detach(), *(x.grad for x in maps)]


@pytest.mark.parametrize('name', CASES)
def test_operators_read_the_right_numbers(name):
    guard_mmcv()
    guard_mmcv()  # as before each validation
    usual = _result(*CASES[name], torch.contiguous_format)
    last = _result(*CASES[name], torch.channels_last)
    for a, b in zip(usual, last, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
        assert a.abs().max() > 0
