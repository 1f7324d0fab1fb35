"""The likelihood of ARMA models is that of statsmodels, and its maximum is found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from statsmodels.tsa.arima.model import ARIMA

from forecast.forecasters.classical.arma import Orders, Sample


def arma(ar: list[float], ma: list[float], size: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=size + 100)
    return lfilter([1, *ma], [1, *(-a for a in ar)], noise)[100:]


AIRLINE = arma([], np.convolve([1, -0.4], [1, *[0] * 11, -0.6])[1:].tolist(), 130)


@pytest.mark.parametrize(
    ("y", "m", "orders"),
    [
        (arma([0.7, -0.3], [], 115), 1, Orders(2, 0, constant=True)),
        (arma([1.2, -0.5], [0.4, 0.3], 115, 4), 1, Orders(2, 2, constant=True)),
        (arma([], [0.8], 115), 1, Orders(0, 1)),
        (AIRLINE, 12, Orders(0, 1, 0, 1)),
        (AIRLINE, 12, Orders(1, 1, 1, 0, constant=True)),
    ],
)
def test_no_parameters_are_likelier(y: np.ndarray, m: int, orders: Orders) -> None:
    ours = Sample(y, np.ones((len(y), 1)), m).fit(orders)
    season = (orders.P, 0, orders.Q, m) if orders.P + orders.Q else (0, 0, 0, 0)
    theirs = ARIMA(
        y,
        order=(orders.p, 0, orders.q),
        seasonal_order=season,
        trend="c" if orders.constant else "n",
    )
    found = theirs.fit()
    assert ours.aicc < found.aicc + 1e-3
    params = np.r_[ours.beta, ours.coefficients, ours.variance]
    assert theirs.filter(params).aicc == pytest.approx(ours.aicc, rel=1e-8)


def test_a_search_ends_at_the_planted_orders() -> None:
    first = [Orders(2, 2, 1, 1), Orders(0, 0), Orders(1, 0, 1, 0)]
    found = Sample(AIRLINE, np.ones((130, 1)), 12).search(first, Orders(5, 5, 2, 2, True))
    assert found.orders == Orders(0, 1, 0, 1)
    kept = Sample(AIRLINE, np.ones((130, 1)), 12).search([Orders(1, 0)], Orders(-1, -1, -1, -1))
    assert kept.orders == Orders(1, 0)


def test_regressors_are_weighed_one_more_at_a_time() -> None:
    rng = np.random.default_rng(1)
    Z = np.column_stack([np.ones(200), rng.normal(size=(200, 3))])
    y = arma([0.5], [], 200) + Z @ [0.0, 1.0, 1.0, 0.0]
    full = Sample(y, Z, 1)
    fit = full.fit(Orders(1, 0, constant=True))
    scores = full.nested(fit, [1, 2, 3, 4])
    assert np.argmin(scores) == 2
    assert scores[3] == pytest.approx(fit.aicc)


def test_a_mean_and_its_slope_are_in_doubt_as_least_squares_says() -> None:
    y, Z = arma([], [], 50), np.column_stack([np.ones(50), np.linspace(-1, 1, 50)])
    sample = Sample(y, Z, 1)
    fit = sample.fit(Orders(0, 0, constant=True))
    rows = sample.doubt(fit)
    axes = (rows[1::2] - rows[::2]) / 2
    expected = np.sum((y - Z @ fit.beta) ** 2) / 48 * np.linalg.inv(Z.T @ Z)
    np.testing.assert_allclose(axes.T @ axes, expected, rtol=0.05, atol=1e-3)
    np.testing.assert_allclose((rows[1::2] + rows[::2]) / 2, [fit.beta] * 2, rtol=1e-8)


def test_coefficients_are_in_doubt_as_statsmodels_says() -> None:
    y = arma([0.6], [0.3], 400)
    sample = Sample(y, np.ones((400, 1)), 1)
    fit = sample.fit(Orders(1, 1, constant=True))
    rows = sample.doubt(fit)
    off = np.sqrt(np.sum(((rows[1::2] - rows[::2]) / 2) ** 2, axis=0))
    theirs = ARIMA(y, order=(1, 0, 1), trend="c").fit()
    np.testing.assert_allclose(off, theirs.bse[:3], rtol=0.15)


def test_the_evidence_is_the_likelihood_of_later_values_by_schwarz() -> None:
    y = arma([0.6], [], 80)
    sample = Sample(y, np.ones((80, 1)), 1)
    fit = sample.fit(Orders(1, 0))
    errors = y[1:] - fit.coefficients * y[:-1]  # the first value was given
    expected = 79 * np.log(np.mean(errors**2)) + 2 * np.log(79)
    assert sample.evidence(fit, 1) == pytest.approx(expected)
