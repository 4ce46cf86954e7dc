"""Gradients of two losses in the layers that both reach."""

import pytest
import torch
from torch import nn

from mmmgd.report.gradients import compare_gradients


class _Fork(nn.Module):
    """One shared weight, and one on each branch."""

    def __init__(self):
        super().__init__()
        self.shared = nn.Parameter(torch.tensor([1.0, 2.0]))
        self.own = nn.Parameter(torch.tensor(3.0))
        self.frozen = nn.Parameter(torch.tensor(1.0), requires_grad=False)


def test_ratio_and_cosine_are_those_of_the_shared_parameters():
    model = _Fork()
    task = (model.shared * torch.tensor([3.0, 4.0])).sum() * model.own
    along = 2 * (model.shared * torch.tensor([3.0, 4.0])).sum()
    across = (model.shared * torch.tensor([4.0, -3.0])).sum()
    found = compare_gradients(task, [along, across, -along], model)
    assert [f.tensors for f in found] == [1, 1, 1]
    # The task's gradient is 3 x (3, 4), of norm 15.
    assert [f.ratio for f in found] == pytest.approx(
        [10 / 15, 5 / 15, 10 / 15]
    )
    assert [f.cosine for f in found] == pytest.approx([1, 0, -1])
    assert all(p.grad is None for p in model.parameters())
    (task + along).backward()  # the graph is still there
    assert model.shared.grad.tolist() == [15.0, 20.0]


def test_a_scale_changes_neither():
    model = _Fork()
    losses = model.shared.square().sum(), model.shared.sum()
    (one,) = compare_gradients(losses[0], [losses[1]], model)
    (two,) = compare_gradients(losses[0], [losses[1]], model, scale=2.0**16)
    assert one == pytest.approx(two)


def test_losses_without_a_common_parameter():
    model = _Fork()
    (found,) = compare_gradients(model.own * 2, [model.shared.sum()], model)
    assert found == (0.0, 0.0, 0)


def test_a_loss_that_has_ended():
    model = _Fork()
    task = model.shared.sum()
    found = compare_gradients(task, [torch.zeros(()), task * 2], model)
    assert found == [(0.0, 0.0, 0), (2.0, pytest.approx(1.0), 1)]
