"""Channels last: another order of sums, and nothing else."""

import copy

import pytest
import torch
from mmengine.runner import Runner

from mmmgd.engine.memory_format import channels_last

LAST = torch.channels_last


def _hooked(cfg):
    cfg.custom_hooks = [dict(type='mmmgd.ChannelsLastHook')]
    return cfg


def _is_converted(model):
    kernels = [p for p in model.parameters() if p.dim() == 4]
    assert kernels
    return all(k.is_contiguous(memory_format=LAST) for k in kernels)


def test_student_and_teacher_are_converted(run, runner_cfg, distiller_cfg):
    model = run(_hooked(runner_cfg(distiller_cfg()))).model
    assert _is_converted(model.student)
    assert _is_converted(model.teacher.module)


@pytest.mark.parametrize('loop', ['val', 'test'])
def test_what_is_only_evaluated_is_converted(runner_cfg, classifier_cfg, loop):
    cfg = _hooked(runner_cfg(classifier_cfg()))
    cfg.default_hooks = dict()  # saving the best asks for a training
    runner = Runner.from_cfg(cfg)
    assert not _is_converted(runner.model)
    getattr(runner, loop)()
    assert _is_converted(runner.model)


def test_losses_and_gradients_are_the_same(build, distiller_cfg, batch):
    first = build(distiller_cfg()).double()
    first.init_weights()
    second = copy.deepcopy(first)
    channels_last(second)
    inputs, samples = batch
    for model in (first, second):
        torch.manual_seed(1)  # the head drops at random
        losses = model(inputs.double(), copy.deepcopy(samples), mode='loss')
        model.parse_losses(losses)[0].backward()
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    for a, b in pairs:
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('width', [1, 4, 8, 15])
def test_what_would_crash_reads_maps_as_usual(width):
    """Its gradient would write past a buffer: the process might end here."""
    conv = torch.nn.Conv2d(width, 32, 1, stride=2)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, width, 3), conv)
    channels_last(model)
    channels_last(model)  # as before each validation
    assert len(conv._forward_pre_hooks) == 1
    read = []
    conv.register_forward_hook(lambda _, args, out: read.extend(args))
    for size in (34, 66):
        torch.manual_seed(0)
        x = torch.randn(4, 3, size, size)
        exact = copy.deepcopy(model).double()
        for net, images in ((model, x), (exact, x.double())):
            net.zero_grad()
            net(images).square().sum().backward()
        # Strides, as those of sides of length 1 decide, too.
        for tensor in (read[0], conv.weight):
            empty = torch.empty(tensor.shape)
            assert tensor.stride() == empty.stride()
        for a, b in zip(model.parameters(), exact.parameters(), strict=True):
            torch.testing.assert_close(
                a.grad.double(),
                b.grad,
                rtol=0,
                atol=1e-5 * float(b.grad.abs().max()),
            )
        read.clear()


@pytest.mark.parametrize(
    'conv',
    [
        torch.nn.Conv2d(16, 32, 1, stride=2),
        torch.nn.Conv2d(4, 32, 3, stride=2),
        torch.nn.Conv2d(4, 32, 1),
    ],
)
def test_all_others_read_them_with_the_channels_last(conv):
    channels_last(conv)
    assert not conv._forward_pre_hooks


def test_a_training_without_distillation_is_the_same(
    run, runner_cfg, classifier_cfg
):
    plain = run(runner_cfg(classifier_cfg()))
    other = run(_hooked(runner_cfg(classifier_cfg())))
    values = [
        runner.message_hub.get_scalar('train/loss').data[0]
        for runner in (plain, other)
    ]
    assert _is_converted(other.model) and not _is_converted(plain.model)
    assert values[0] == pytest.approx(values[1], rel=1e-4)
