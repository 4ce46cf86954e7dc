"""Channels last: another order of sums, and nothing else."""

import copy

import pytest
import torch

LAST = torch.channels_last


def _hooked(cfg):
    cfg.custom_hooks = [dict(type='mmmgd.ChannelsLastHook')]
    return cfg


def test_student_and_teacher_are_converted(run, runner_cfg, distiller_cfg):
    model = run(_hooked(runner_cfg(distiller_cfg()))).model
    for part in (model.student, model.teacher.module):
        kernels = [p for p in part.parameters() if p.dim() == 4]
        assert kernels
        assert all(k.is_contiguous(memory_format=LAST) for k in kernels)


def test_losses_and_gradients_are_the_same(build, distiller_cfg, batch):
    first = build(distiller_cfg()).double()
    first.init_weights()
    second = copy.deepcopy(first).to(memory_format=LAST)
    inputs, samples = batch
    for model in (first, second):
        torch.manual_seed(1)  # the head drops at random
        losses = model(inputs.double(), copy.deepcopy(samples), mode='loss')
        model.parse_losses(losses)[0].backward()
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    for a, b in pairs:
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-9, atol=1e-12)


def test_a_training_without_distillation_is_the_same(
    run, runner_cfg, classifier_cfg
):
    plain = run(runner_cfg(classifier_cfg()))
    other = run(_hooked(runner_cfg(classifier_cfg())))
    values = [
        runner.message_hub.get_scalar('train/loss').data[0]
        for runner in (plain, other)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-4)
