import pytest
import torch

from mmmgd.functional import random_mask


@pytest.mark.parametrize('mask_dim', ['spatial', 'channel'])
@pytest.mark.parametrize('ratio', [0.15, 0.45, 0.65, 0.75])
def test_the_hidden_share_is_mask_ratio(mask_dim, ratio):
    feature = torch.zeros(8, 128, 64, 64, dtype=torch.float64)
    draws = [
        random_mask(feature, ratio, mask_dim) for _ in range(40)
    ]  # at least 40960 decisions
    mask = torch.stack(draws)
    assert mask.dtype == feature.dtype
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert 1 - mask.mean().item() == pytest.approx(ratio, abs=0.01)


def test_masks_differ_between_images_and_have_the_right_shape():
    feature = torch.zeros(2, 6, 9, 7)
    spatial = random_mask(feature, 0.5, 'spatial')
    channel = random_mask(feature, 0.5, 'channel')
    assert spatial.shape == (2, 1, 9, 7)
    assert channel.shape == (2, 6, 1, 1)
    assert not torch.equal(spatial[0], spatial[1])


def test_ratio_zero_hides_nothing():
    assert random_mask(torch.zeros(2, 3, 50, 50), 0.0, 'spatial').all()


def test_masks_are_drawn_on_the_device_of_the_feature():
    # 'meta' has no CPU fallback: a mask made on the CPU could not be on it
    feature = torch.zeros(2, 3, 4, 4, device='meta')
    assert random_mask(feature, 0.5, 'spatial').device.type == 'meta'
