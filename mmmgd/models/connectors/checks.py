"""Checks of the arguments of MGDConnector."""

from typing import Any

from mmmgd.functional import MASK_DIMS, MASKS


def check_mask(mask_ratio: Any, mask_dim: str, mask: str) -> None:
    """Refuse a ratio or a kind of mask that does not exist."""
    if not isinstance(mask_ratio, (int, float)) or not 0 <= mask_ratio < 1:
        raise ValueError(
            'Expected `mask_ratio` (λ, the share that is hidden) in '
            f'[0, 1), but got {mask_ratio!r}.'
        )
    check_one_of('mask_dim', mask_dim, MASK_DIMS)
    check_one_of('mask', mask, MASKS)


def check_sample(sample: Any) -> float:
    """Return a share above 0, at most 1; refuse anything else."""
    if not isinstance(sample, (int, float)) or not 0 < sample <= 1:
        raise ValueError(
            "Expected `sample` (the share of the teacher's channels that each "
            f'step compares) in (0, 1], but got {sample!r}.'
        )
    return sample


def check_one_of(name: str, value: Any, known: tuple) -> None:
    """Refuse a value that is not among the known ones."""
    if value not in known:
        raise ValueError(
            f'Expected `{name}` to be one of {known}, but got {value!r}.'
        )


def check_channel_attention(masked: int, teacher: int) -> None:
    """Refuse to rank the channels of one width and hide those of another."""
    if masked != teacher:
        raise ValueError(
            "mask='attention' over channels ranks the teacher's "
            f'{teacher}, but mask_before_align=True hides some of the '
            f"student's {masked}. Leave mask_before_align out."
        )
