import pytest
import torch

from mmmgd.functional import mgd_loss


def test_mgd_loss_is_a_sum_over_the_map_and_a_mean_over_images():
    generated = torch.zeros(2, 3, 4, 5)
    assert mgd_loss(generated, generated) == 0
    # each image: 3 * 4 * 5 ones
    assert mgd_loss(generated, torch.ones(2, 3, 4, 5)) == 60
    # half the height and width: a quarter of the loss
    small = mgd_loss(torch.zeros(2, 3, 2, 2), torch.ones(2, 3, 2, 2))
    large = mgd_loss(torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4))
    assert small / large == 0.25


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_reduced_in_float32(dtype):
    # Its square overflows float16; as a power of two, any sum is exact.
    feature = torch.full((1, 8, 20, 30), 2.0**13, dtype=dtype)
    loss = mgd_loss(feature, torch.zeros_like(feature))
    assert loss.dtype == torch.float32
    assert loss.item() == 8 * 20 * 30 * 2**26


@pytest.mark.parametrize('shape', [(1, 3, 4, 4), (2, 4, 4, 4), (2, 3, 4, 5)])
def test_shapes_that_differ_are_named(shape):
    with pytest.raises(ValueError, match=r'\(2, 3, 4, 4\).*connector'):
        mgd_loss(torch.zeros(2, 3, 4, 4), torch.zeros(shape))


@pytest.mark.parametrize('shape', [(2, 1, 4, 5), (2, 3, 1, 1)])
def test_with_a_mask_only_what_was_hidden_counts(shape):
    """ViTKD's generation: β / λ · ‖hidden ⊙ (generated − target)‖² / N."""
    torch.manual_seed(0)
    generated, target = torch.randn(2, 2, 3, 4, 5).double()
    mask = torch.ones(shape, dtype=torch.float64)
    mask.view(2, -1)[:, 0] = 0
    hidden = (1 - mask).expand_as(target)
    share = 1 / mask[0].numel()
    expected = ((hidden * (generated - target)) ** 2).sum() / 2 / share
    loss = mgd_loss(generated, target, mask)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
    assert torch.autograd.gradcheck(
        lambda x: mgd_loss(x, target, mask), generated.requires_grad_()
    )
    # what was visible does not matter
    other = torch.where(hidden > 0, generated, 100.0)
    assert mgd_loss(other, target, mask) == loss


def test_nothing_hidden_costs_nothing():
    loss = mgd_loss(
        torch.ones(2, 3, 4, 5), torch.zeros(2, 3, 4, 5), torch.ones(2, 1, 4, 5)
    )
    assert loss == 0
