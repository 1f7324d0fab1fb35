"""Several models as one: their mean, and how far they are apart."""

from __future__ import annotations

import math

import numpy as np
import pytest

from forecast.forecasters.classical.averaging import averaged, mixed, weighed
from forecast.forecasters.classical.statespace import Fit

FIT = Fit((0, 0, 0), (0, 0, 0), 1, False, 0, (1.0,), 0.0, 1.0, (), ())


def test_the_likeliest_comes_first_and_the_hopeless_not_at_all() -> None:
    one, two = FIT, FIT._replace(order=(0, 1, 0))
    fits = weighed((one, two, one), (3.0, 1.0, 90.0))
    assert [fit.order[1] for fit in fits] == [1, 0]
    assert fits[0].weight / fits[1].weight == pytest.approx(math.e)
    assert weighed((one, two), (math.inf, 5.0)) == [two]
    assert [fit.weight for fit in weighed((one, two), (math.inf, math.inf))] == [0.5, 0.5]


def test_errors_are_those_of_the_mean_where_all_tell() -> None:
    fits = [FIT._replace(weight=0.75), FIT._replace(weight=0.25)]
    errors = averaged(fits, (np.array([4.0, 1.0]), np.array([np.nan, 5.0])))
    np.testing.assert_array_equal(errors, [np.nan, 2.0])
    assert averaged(fits, (np.array([np.nan]), np.array([np.nan]))).tolist() == [0.0]


def test_the_variance_is_that_within_models_and_between_them() -> None:
    weights, none = np.array([0.8, 0.2]), np.zeros((1, 0))
    parts = [
        (np.array([1.0]), np.array([3.0]), np.array([[0.5]])),
        (np.array([6.0]), np.array([1.0]), none),
    ]
    point, steps = mixed(weights, parts)
    assert point.tolist() == [2.0]
    within = 0.8 * (9 + 0.25) + 0.2 * 1
    assert np.sum(steps**2) == pytest.approx(within + 0.8 * 1 + 0.2 * 16)
