"""The operators of mmcv, and maps with the channels last.

The hook's own tests are in hooks/test_channels_last_hook.py.
"""

import sys
from types import ModuleType

import pytest
import torch
from mmcv import ops

from mmmgd.engine.memory_format import channels_last

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
    channels_last(torch.nn.Conv2d(8, 8, 3))  # as any model does
    usual = _result(*CASES[name], torch.contiguous_format)
    last = _result(*CASES[name], torch.channels_last)
    for a, b in zip(usual, last, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
        assert a.abs().max() > 0


def test_a_second_model_does_not_wrap_them_again():
    """Nor does the same one, before each validation."""
    kind = ops.roi_align.__self__  # the class whose `apply` it is
    found = []
    for _ in range(2):
        channels_last(torch.nn.Conv2d(8, 8, 3))
        found.append((kind.forward, kind.backward))
    assert found[0] == found[1]
    assert found[0][0].__wrapped__.__module__ == kind.__module__


SEEN = []


class Recorder(torch.autograd.Function):
    """Stands for an operator that reads its gradient as it lies, too."""

    @staticmethod
    def forward(ctx, x):
        SEEN.append(x.is_contiguous())
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        SEEN.append(grad.is_contiguous())
        return grad * 2


def test_forward_and_backward_get_the_usual_order(monkeypatch):
    module = ModuleType('mmcv.ops.recorder')
    module.Recorder = Recorder
    monkeypatch.setitem(sys.modules, module.__name__, module)
    SEEN.clear()
    channels_last(torch.nn.Conv2d(8, 8, 3))
    x = X.clone(memory_format=torch.channels_last).requires_grad_()
    Recorder.apply(x).backward(x.detach())
    assert SEEN == [True, True]
