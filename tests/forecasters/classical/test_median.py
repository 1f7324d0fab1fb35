"""The middle of the last seasons."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import MedianForecaster, NaiveForecaster


def seasons(n: int, noise: float = 1.0, seed: int = 0) -> pd.Series:
    rng = np.random.default_rng(seed)
    values = np.tile([10.0, 20.0, 30.0, 40.0], n) + noise * rng.normal(size=4 * n)
    return pd.Series(values, pd.date_range("2000", periods=4 * n, freq="QS"))


@pytest.mark.parametrize("statistic", ["median", "mean"])
def test_it_repeats_the_middle_of_each_quarter(statistic: str) -> None:
    y = seasons(8)
    model = MedianForecaster(statistic, n_seasons=5, season_length=4).fit(y)
    middle = getattr(np, statistic)(y.to_numpy()[-20:].reshape(5, 4), axis=0)
    np.testing.assert_allclose(model.predict(8), np.tile(middle, 2))


def test_one_odd_season_does_not_move_it() -> None:
    y = seasons(8, noise=0.0)
    y.iloc[-4:] *= 10
    model = MedianForecaster(season_length=4, target_transform=None).fit(y)
    np.testing.assert_allclose(model.predict(4), [10, 20, 30, 40])


def test_without_a_season_it_is_that_of_the_last_values() -> None:
    y = pd.Series([9.5, 9.5, 1.0, 2.0, 3.0, 4.0, 7.0])
    assert MedianForecaster(season_length=1).fit(y).predict(2).tolist() == [3.0, 3.0]


def test_gaps_and_young_series_use_what_there_is() -> None:
    y = seasons(6, noise=0.0)
    y.iloc[-4] = np.nan
    np.testing.assert_allclose(
        MedianForecaster(season_length=4).fit(y).predict(4), [10, 20, 30, 40]
    )
    young = pd.Series([1.5, 2.5], pd.date_range("2000", periods=2, freq="QS"))
    assert MedianForecaster(season_length=4).fit(young).predict(4).tolist() == [2.5, 2.5, 1.5, 2.5]


def test_on_noise_it_beats_the_last_season_and_knows_its_errors() -> None:
    errors, inside = [], []
    for seed in range(20):
        y = seasons(14, seed=seed)
        past, future = y[:-4], y[-4:]
        model = MedianForecaster(season_length=4).fit(past)
        naive = NaiveForecaster("seasonal", season_length=4).fit(past)
        errors.append([np.abs(one.predict(4) - future).mean() for one in (model, naive)])
        band = model.predict_interval(4, coverage=0.8)
        inside.append(future.between(band["lower"], band["upper"]).mean())
    ours, last = np.mean(errors, axis=0)
    assert ours < 0.9 * last
    assert np.mean(inside) == pytest.approx(0.8, abs=0.1)
