import numpy as np
import pytest
import torch

from mmmgd.functional import attention_mask, fixed_mask, random_mask


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


@pytest.mark.parametrize(
    ('mask_dim', 'ratio', 'hidden'),
    [
        ('spatial', 0.5, 10),
        ('spatial', 0.65, 13),
        ('spatial', 0.0, 0),
        ('spatial', 0.99, 19),  # one stays visible
        ('channel', 0.15, 1),  # of 6
    ],
)
def test_a_fixed_mask_hides_the_same_number_in_each_image(
    mask_dim, ratio, hidden
):
    mask = fixed_mask(torch.zeros(50, 6, 4, 5), ratio, mask_dim)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert (mask == 0).flatten(1).sum(1).tolist() == [hidden] * 50
    shape = (50, 1, 4, 5) if mask_dim == 'spatial' else (50, 6, 1, 1)
    assert mask.shape == shape


def test_a_fixed_mask_hides_every_position_equally_often():
    torch.manual_seed(0)
    mask = fixed_mask(torch.zeros(20_000, 1, 3, 4), 0.25, 'spatial')
    share = 1 - mask.mean(0)
    # a standard deviation is sqrt(0.25 * 0.75 / 20000) = 0.003
    torch.testing.assert_close(
        share, torch.full_like(share, 0.25), rtol=0, atol=0.015
    )


def test_attention_hides_what_the_teacher_attends_to_most():
    teacher = 0.1 * torch.ones(2, 3, 2, 2)
    teacher[0, :, 1, 0] = torch.tensor([-5.0, 2, 0])  # its sum is negative
    teacher[1, 2] = torch.tensor([[-3.0, 3], [0, 0.2]])
    spatial = attention_mask(teacher, 0.25, 'spatial')
    assert spatial[0, 0].tolist() == [[1, 1], [0, 1]]
    assert spatial[1, 0].sum() == 3 and spatial[1, 0, 0].sum() == 1
    channel = attention_mask(teacher, 1 / 3, 'channel')
    assert channel.flatten(1).tolist() == [[0, 1, 1], [1, 1, 0]]


@pytest.mark.parametrize('mask_dim', ['spatial', 'channel'])
def test_attention_equals_a_sort_of_the_mean_absolute_values(mask_dim):
    teacher = torch.randn(4, 12, 5, 7).half()
    mask = attention_mask(teacher, 0.4, mask_dim)
    assert mask.dtype == torch.float16
    axis = 1 if mask_dim == 'spatial' else (2, 3)
    means = np.abs(teacher.double().numpy()).mean(axis).reshape(4, -1)
    hidden = round(0.4 * means.shape[1])
    for row, keep in zip(means, mask.flatten(1), strict=True):
        assert set(np.flatnonzero(keep == 0)) == set(
            np.argsort(row)[-hidden:].tolist()
        )


def test_a_constant_teacher_has_a_mask_all_the_same():
    mask = attention_mask(torch.zeros(3, 4, 2, 5), 0.3, 'spatial')
    assert (mask == 0).flatten(1).sum(1).tolist() == [3, 3, 3]
