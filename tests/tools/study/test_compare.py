"""Statistics of a study, against scipy, statsmodels and hand-computed."""

import math

import numpy as np
import pytest
from scipy import stats
from study.compare import holm, paired, spread

A = {0: 90.1, 1: 91.4, 2: 89.7, 3: 92.0, 4: 90.6, 5: 91.1}
B = {0: 89.0, 1: 90.9, 2: 89.9, 3: 90.7, 4: 89.8, 5: 90.2}


def test_mean_and_sd():
    found = spread([90.0, 92.0, 97.0])
    assert found.mean == 93.0
    assert found.sd == pytest.approx(math.sqrt((9 + 1 + 16) / 2))
    assert str(found) == '93.00 ± 3.61'
    assert str(spread([90.0])) == '90.00'


def test_paired_difference_is_scipys():
    found = paired(A, B)
    reference = stats.ttest_rel(list(A.values()), list(B.values()))
    interval = reference.confidence_interval(0.95)
    assert found.count == 6
    assert found.p == pytest.approx(reference.pvalue, rel=1e-9)
    assert found.low == pytest.approx(interval.low, rel=1e-9)
    assert found.high == pytest.approx(interval.high, rel=1e-9)


def test_paired_difference_by_hand():
    """Differences 1, 2, 3, 4, 5: mean 3, sd √2.5, t 4.2426, 4 degrees."""
    found = paired({i: 2.0 * i for i in range(1, 6)}, dict(enumerate('')))
    assert found is None
    values = {i: float(2 * i) for i in range(1, 6)}
    base = {i: float(i) for i in range(1, 6)}
    found = paired(values, base)
    assert found.mean == 3.0
    reach = 2.7764451 * math.sqrt(2.5 / 5)  # t table, 0.975, 4
    assert found.high - found.mean == pytest.approx(reach, rel=1e-6)
    assert found.p == pytest.approx(0.0132356, rel=1e-4)
    assert str(found) == '+3.00 [+1.04, +4.96]'


def test_only_shared_seeds_are_paired():
    assert paired(A, {9: 1.0}) is None
    found = paired({**A, 7: 0.0}, {**B, 8: 100.0})
    assert found == paired(A, B)


def test_no_p_below_five_seeds():
    four = {k: v for k, v in A.items() if k < 4}
    found = paired(four, B)
    assert (found.count, found.p) == (4, None)
    assert found.low < found.mean < found.high
    one = paired({0: 3.0}, {0: 1.0})
    assert (one.mean, one.low, one.p) == (2.0, None, None)


def test_equal_results_have_no_p():
    assert paired(A, A).p is None


def test_holm_by_hand():
    """0.01·4, 0.02·3, then the larger of 0.03·2 and before, 0.9·1."""
    found = holm([0.9, 0.01, None, 0.03, 0.02])
    assert found.pop(2) is None
    assert found == pytest.approx([0.9, 0.04, 0.06, 0.06], rel=1e-12)
    assert holm([None, 0.6, 0.7]) == [None, 1.0, 1.0]
    assert holm([]) == []


def test_holm_is_statsmodels():
    multitest = pytest.importorskip('statsmodels.stats.multitest')
    given = np.random.default_rng(0).uniform(0, 0.1, 20)
    reference = multitest.multipletests(given, method='holm')[1]
    assert holm(list(given)) == pytest.approx(list(reference), rel=1e-12)
