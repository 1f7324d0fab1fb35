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
