"""Windows that are never laid out give the least squares of those that are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.linear_model import LinearRegression

from forecast.data.frames import read_frames
from forecast.data.panel import Panel
from forecast.forecasters.window.least_squares import Regression, Stretches
from forecast.forecasters.window.markov import MarkovForecaster


def gappy(seed: int, n_series: int, size: int) -> Panel:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(size, n_series)).cumsum(axis=0)
    values[rng.random(values.shape) < 0.05] = np.nan
    return read_frames(pd.DataFrame(values / np.nanstd(values)))


def laid_out(values: np.ndarray, rows: np.ndarray, order: int) -> np.ndarray:
    return sliding_window_view(values, order)[rows - order, ::-1]


@pytest.mark.parametrize("order", [1, 2, 7, 20])
@pytest.mark.parametrize(("n_series", "width"), [(1, 0), (1, 3), (9, 2)])
def test_solution_is_that_of_the_matrix(order: int, n_series: int, width: int) -> None:
    panel = gappy(order, n_series, 300)
    beside = np.random.default_rng(0).normal(size=(len(panel.values), width))
    stretches = Stretches.of(panel)
    rows = stretches.rows(order)
    columns = np.hstack([laid_out(panel.values, rows, order), beside[rows]])
    assert np.isfinite(columns).all() and len(rows) == stretches.n_rows(np.array(order))
    theirs = LinearRegression().fit(columns, panel.values[rows])
    regression = Regression(panel.values.copy(), beside, stretches, order)
    weights, constant, doubt = regression.solve()
    np.testing.assert_allclose(weights, theirs.coef_, atol=1e-10)
    assert constant == pytest.approx(theirs.intercept_, abs=1e-10)
    with_constant = np.column_stack([columns, np.ones(len(rows))])
    covariance = np.linalg.inv(with_constant.T @ with_constant)  # of errors of a deviation of 1
    of_mean = np.diag([*np.zeros(order + width), 1 / len(rows)])
    np.testing.assert_allclose(doubt @ doubt.T + of_mean, covariance, rtol=1e-6, atol=1e-9)
    errors = regression.errors(weights, constant)
    np.testing.assert_allclose(
        errors[rows], panel.values[rows] - theirs.predict(columns), atol=1e-10
    )
    assert np.count_nonzero(errors) <= len(rows)


def test_of_dependent_columns_the_weights_are_the_shortest() -> None:
    values = np.sin(0.3 * np.arange(200.0))
    whole = Stretches(np.array([0]), np.array([200]))
    weights, *_ = Regression(values.copy(), np.empty((200, 0)), whole, order=8).solve()
    columns = laid_out(values, whole.rows(8), 8)
    np.testing.assert_allclose(
        weights, np.linalg.lstsq(columns, values[8:], rcond=None)[0], atol=1e-6
    )


def test_a_stretch_ends_with_its_series() -> None:
    panel = read_frames(pd.DataFrame({"a": [1.0, 2.0, np.nan, 4.0], "b": [np.nan, 5.0, 6.0, 7.0]}))
    stretches = Stretches.of(panel)
    assert stretches.starts.tolist() == [0, 3, 4] and stretches.ends.tolist() == [2, 4, 7]
    assert stretches.rows(1).tolist() == [1, 5, 6]


def peak(work: Callable[[], object]) -> int:
    """Return how many bytes were held at most."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_memory_of_a_fit_does_not_grow_with_the_order() -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=100_000).cumsum())
    few, many = (peak(lambda k=k: MarkovForecaster(order=k).fit(y)) for k in (2, 60))
    assert many < 1.1 * few < 15 * y.to_numpy().nbytes


def test_memory_of_paths_does_not_grow_with_the_order() -> None:
    y = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 20)).cumsum(axis=0))
    model = MarkovForecaster(order=60).fit(y)
    size = (
        8 * 20 * 1000 * 12
    )  # bytes of the paths; the windows of one step would be five times that
    assert peak(lambda: model._sample(12, 1000, None, np.random.default_rng(0))) < 2 * size
