"""Means, paired differences, intervals and p values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

MIN_SEEDS = 5  # below, a p value would say more than the numbers do
LEVEL = 0.95


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over seeds."""

    count: int
    mean: float
    sd: float | None  # None for one seed

    def __str__(self) -> str:
        sd = '' if self.sd is None else f' ± {self.sd:.2f}'
        return f'{self.mean:.2f}{sd}'


@dataclass(frozen=True)
class Difference:
    """A method minus a baseline, paired by seed.

    Args:
        count: Seeds that both have.
        mean: Mean of the differences.
        low: Lower end of the 95 % interval by Student's t; None for one seed.
        high: Upper end.
        p: Two-sided, of the paired t test; None below five seeds.
    """

    count: int
    mean: float
    low: float | None
    high: float | None
    p: float | None

    def __str__(self) -> str:
        text = f'{_signed(self.mean)}'
        if self.low is not None and self.high is not None:
            text += f' [{_signed(self.low)}, {_signed(self.high)}]'
        return text


def spread(values: Sequence[float]) -> Spread:
    """Return mean and standard deviation."""
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Spread(len(values), float(np.mean(values)), sd)


def paired(
    values: Mapping[int, float], baseline: Mapping[int, float]
) -> Difference | None:
    """Compare two methods over the seeds that both have.

    Args:
        values: Of the method, by seed.
        baseline: Of the other one.

    Returns:
        None if they share no seed.
    """
    seeds = sorted(values.keys() & baseline.keys())
    if not seeds:
        return None
    d = np.array([values[seed] - baseline[seed] for seed in seeds])
    n, mean = len(d), float(d.mean())
    if n < 2:
        return Difference(n, mean, None, None, None)
    error = float(d.std(ddof=1)) / math.sqrt(n)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * error
    p = None
    if n >= MIN_SEEDS and error > 0:
        p = float(stats.ttest_1samp(d, 0.0).pvalue)
    return Difference(n, mean, mean - reach, mean + reach, p)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Correct p values for multiple comparisons by Holm's method.

    The k-th smallest of m is multiplied by m − k + 1, and none is smaller
    than the one before. None stays None and does not count.
    """
    order = sorted(
        (p, index) for index, p in enumerate(values) if p is not None
    )
    corrected: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (p, index) in enumerate(order):
        largest = max(largest, min(1.0, p * (len(order) - rank)))
        corrected[index] = largest
    return corrected


def _signed(value: float) -> str:
    return f'{value:+.2f}'.replace('-', '−')
