"""What a panel's values tell of the values to come."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from forecast.engine.support import Support

NUMBERS = st.floats(-1e9, 1e9, allow_subnormal=False)
SUPPORTS = st.builds(Support, st.booleans(), st.booleans())
ZEROS, ONES = np.zeros(10), np.ones(90)


@pytest.mark.parametrize(
    ("values", "bounded", "counts"),
    [
        ([*ZEROS, *ONES], True, True),
        ([*ZEROS, *ONES, *np.full(100, np.nan)], True, True),  # gaps say nothing
        ([*ZEROS, *1e6 * ONES], True, True),
        ([*ZEROS, *1.5 * ONES], True, False),  # amounts, not counts
        ([*ZEROS[:9], *ONES, 1.0], True, False),  # zeros too rare for steps to matter
        ([*ZEROS[:1], *ONES, *np.ones(9)], True, False),
        ([*ZEROS[:1], *ONES, *np.ones(10)], False, False),  # a value, not a bound
        ([*ZEROS, *ONES, -1.0], False, False),
        ([*ZEROS, *ONES, -1e-12], False, False),
        (100.0 - np.arange(100), False, False),  # a falling line may pass zero
        (np.full(5, np.nan), False, False),
        ([], False, False),
        (np.zeros(5), True, True),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_a_panel_tells(values, bounded, counts, dtype):
    assert Support.of(np.asarray(values, dtype)) == Support(bounded, counts)


@given(SUPPORTS, st.lists(NUMBERS, min_size=1, max_size=9))
def test_quantiles_stay_in_order(support, values):
    values = np.sort(values)
    within = support.round(support.clip(torch.tensor(values)).numpy())
    assert (np.diff(within) >= 0).all()
    assert (within >= 0).all() or not support.bounded
    assert (within == np.round(within)).all() or not support.counts
    again = support.round(support.clip(torch.tensor(within)).numpy())
    assert np.array_equal(within, again)


@given(st.lists(NUMBERS, min_size=1, max_size=9))
def test_without_bounds_no_bit_changes(values):
    support, values = Support(), np.array(values)
    assert np.array_equal(support.round(support.clip(torch.tensor(values)).numpy()), values)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_the_quantile_of_rounded_values_is_the_rounded_quantile(level):
    values = 3 * np.random.default_rng(0).normal(size=1001).clip(0)
    support = Support(bounded=True, counts=True)
    quantile = np.quantile(values, level, method="inverted_cdf")
    rounded = np.quantile(support.round(values), level, method="inverted_cdf")
    assert support.round(quantile) == rounded
