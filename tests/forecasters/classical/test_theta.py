"""Theta: equal to statsmodels, honest about its errors, and at ease with any series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.forecasting.theta import ThetaModel

from forecast.forecasters.classical import theta
from forecast.forecasters.classical.theta import ThetaForecaster
from forecast.forecasters.residuals import inflation


def trending(size: int, seed: int = 0) -> np.ndarray:
    return 20 + 0.3 * np.arange(size) + np.random.default_rng(seed).normal(size=size).cumsum()


def additive(size: int, m: int = 12) -> np.ndarray:
    return trending(size) - 40 + 10 * np.sin(2 * np.pi * np.arange(size) / m)


def multiplicative(size: int, m: int = 12) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=size)
    swings = 1 + 0.3 * np.sin(2 * np.pi * np.arange(size) / m)
    return (50 + 0.2 * np.arange(size)) * swings * np.exp(0.03 * noise)


@pytest.mark.parametrize(
    ("y", "m", "factors"),
    [
        (trending(60), 1, False),
        (trending(61), 12, False),  # the test finds no season
        (additive(100), 12, False),
        (additive(103), 12, False),
        (multiplicative(100), 12, True),
        (multiplicative(103), 12, True),
        (multiplicative(900, 168), 168, True),
        (-multiplicative(103), 12, False),
    ],
)
def test_forecasts_are_those_of_statsmodels(
    y: np.ndarray, m: int, factors: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theta, "DOUBT", 1e-9)  # half of every trend
    monkeypatch.setattr(theta, "KEPT", (1.0,))  # a season for ever
    model = ThetaForecaster(season_length=m).fit(pd.Series(y))
    theirs = ThetaModel(y, period=m, deseasonalize=m > 1).fit()
    # their search for the gain stops earlier
    np.testing.assert_allclose(model.predict(2 * m + 3), theirs.forecast(2 * m + 3), rtol=1e-4)
    assert model.smoothing_.proportional.item() is factors
    assert np.ptp(model.smoothing_.season) > 0 or m == 1 or len(y) == 61


@pytest.mark.parametrize("seed", range(3))
def test_a_season_that_changes_is_that_of_late(seed: int) -> None:
    cycle = np.sin(2 * np.pi * np.arange(480) / 12 + np.linspace(0, 2, 480))  # its peak wanders
    y = 50 + 10 * cycle + np.random.default_rng(seed).normal(size=480)
    off = ThetaForecaster(season_length=12).fit(pd.Series(y[:468])).predict(12) - y[468:]
    assert off.abs().mean() < 2  # 7 by the mean of all cycles


def test_a_season_leaves_the_level_as_it_is() -> None:
    wave = 10 * np.sin(np.arange(60.0)) + np.resize([30.0, 0, 10, -40], 60)
    season, factors = theta._season(wave, 4)
    assert not factors and abs(season.mean()) < 1e-12
    season, factors = theta._season(wave + 60, 4)
    assert factors and abs(season.mean() - 1) < 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_a_season_that_stays_is_that_of_all_cycles(seed: int) -> None:
    parts = np.resize([3.0, -1.0, 2.0, -4.0], 200) + np.random.default_rng(seed).normal(size=200)
    np.testing.assert_allclose(theta._of_late(parts, 4), [3, -1, 2, -4], atol=0.5)


@pytest.mark.parametrize("seed", range(3))
def test_the_share_is_that_of_a_regression_on_the_lines_of_the_time(seed: int) -> None:
    y = trending(12, seed)
    fitted = ThetaForecaster(season_length=1).fit(pd.Series(y)).smoothing_
    lines = [np.polyfit(np.arange(t), y[:t], 1)[0] for t in range(2, 13)]

    def errors(share: float) -> np.ndarray:
        level, found = y[0], []
        for value, drift in zip(y[1:], [0, *lines[:-1]], strict=True):
            found.append(value - level - share * drift)
            level += share * drift + fitted.gains[0, 0] * found[-1]
        return np.array(found[1:])

    shares = np.linspace(-2, 4, 6001)
    costs = np.array([np.sum(errors(share) ** 2) for share in shares])
    variance = costs.min() / 9  # ten errors, one share
    best = shares[np.argmin(costs / variance + ((shares - 0.5) / 0.4) ** 2)]
    np.testing.assert_allclose(fitted.trend[0], best * lines[-1], atol=0.002)


def test_a_trend_that_was_followed_goes_on_and_one_by_chance_does_not() -> None:
    rng, t = np.random.default_rng(0), np.arange(60)
    line, noise = 2.0 * t + rng.normal(size=60), 50 + rng.normal(size=60)
    followed = ThetaForecaster(season_length=1).fit(pd.Series(line)).smoothing_.trend[0]
    chance = ThetaForecaster(season_length=1).fit(pd.Series(noise)).smoothing_.trend[0]
    assert 1.9 < followed < 2.1 and abs(chance) < 0.02


@pytest.mark.parametrize("unit", [1e-150, 1e148])
def test_the_share_is_the_same_in_any_unit(unit: float) -> None:
    own, other = (
        ThetaForecaster(season_length=1).fit(pd.Series(trending(30) * size)).smoothing_.trend[0]
        for size in (1.0, unit)
    )
    np.testing.assert_allclose(other / unit, own, rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_no_gain_has_a_smaller_error(seed: int) -> None:
    def cost(gain: float) -> float:
        level, total = y[0], 0.0
        for value in y:
            total += (value - level) ** 2
            level += gain * (value - level)
        return total

    y = trending(50, seed)
    found = ThetaForecaster(season_length=1).fit(pd.Series(y)).smoothing_.gains[0, 0]
    theirs = ThetaModel(y, period=1, deseasonalize=False).fit().params["alpha"]
    others = [theirs, *np.linspace(1e-4, 1 - 1e-4, 200)]
    assert cost(found) <= min(cost(gain) for gain in others) * (1 + 1e-6)


def test_update_is_smoothing_with_the_same_parameters() -> None:
    y = trending(80)
    model = ThetaForecaster(season_length=1).fit(pd.Series(y[:60]))
    gain, drift = model.smoothing_.gains[0, 0], model.smoothing_.trend[0]
    level = y[0] - drift
    for value in y:
        level = (1 - gain) * (level + drift) + gain * value
    model.update(pd.Series(y[60:], range(60, 80)))
    np.testing.assert_allclose(model.predict(3), level + drift * np.arange(1, 4), rtol=1e-12)


@pytest.mark.parametrize("make", [additive, multiplicative])
def test_residuals_are_the_errors_of_one_step(make: object) -> None:
    y = make(100)  # type: ignore[operator]
    model = ThetaForecaster(season_length=12).fit(pd.Series(y))
    last = model.residuals_.values[-1] / inflation(100, 15)
    state = model.smoothing_
    # Step back from the final level to the forecast of the last value.
    gain, drift, season = state.gains[0, 0], state.trend[0], state.season[0, -1]
    factors = state.proportional[0]
    plain = y[-1] / season if factors else y[-1] - season
    expected = (state.level[0] - gain * plain) / (1 - gain)
    assert abs(last - (plain - expected)) < 0.2 * model.residuals_.values.std()  # less their mean
    assert drift > 0


def test_two_seasons_are_too_few_to_find_one() -> None:
    noise = pd.Series(10 + np.random.default_rng(0).normal(size=30))
    assert not ThetaForecaster(season_length=12).fit(noise).smoothing_.season.any()
    cycles = pd.Series(np.tile([1.0, 5.0, 3.0, 2.0], 4))
    np.testing.assert_allclose(
        ThetaForecaster(season_length=4).fit(cycles).predict(4), [1, 5, 3, 2], rtol=0.02
    )


@pytest.mark.parametrize("season_length", [1, 4, 30])
def test_any_length_from_one_on(season_length: int) -> None:
    rng = np.random.default_rng(0)
    for size in [1, 2, 3, 7, 8, 9, 12, 13, 60, 95]:
        for y in (rng.normal(size=size).cumsum(), np.arange(size), rng.poisson(0.3, size)):
            forecast = ThetaForecaster(season_length=season_length).fit(pd.Series(y)).predict(6)
            spread = np.ptp(y) + 1
            assert forecast.between(y.min() - 3 * spread, y.max() + 3 * spread).all()


def test_gaps_are_filled_and_leave_no_error() -> None:
    y = pd.Series(multiplicative(120))
    holes = y.mask(np.isin(np.arange(120), [7, 50, 51, 52, 118, 119]))
    model = ThetaForecaster(season_length=12)
    whole, gappy = model.fit(y).predict(12), model.fit(holes).predict(12)
    assert np.abs(whole / gappy - 1).max() < 0.1
    assert len(model.residuals_.values) == 113  # the first value was the level


@pytest.mark.slow
def test_intervals_cover_what_they_claim() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(310, 150))
    walk = pd.DataFrame((noise[1:] - 0.5 * noise[:-1]).cumsum(axis=0) + 50)
    model = ThetaForecaster(season_length=1).fit(walk[:300])
    bounds = model.predict_quantiles(9, levels=(0.1, 0.9))
    inside = []
    for name in walk:
        band = bounds[name]
        inside.append(walk[name][300:].between(band[0.1], band[0.9]).mean())
    assert 0.74 < np.mean(inside) < 0.86


def held(y: pd.DataFrame, size: int, m: int) -> tuple[ThetaForecaster, np.ndarray]:
    """Return a fit to the first values, and whether the later ones lie in its 80 % bands."""
    model = ThetaForecaster(season_length=m, horizon=len(y) - size).fit(y[:size])
    band = model.predict_interval(coverage=0.8)
    low, high = (band.xs(side, axis=1, level=-1)[y.columns] for side in ("lower", "upper"))
    assert ((low <= model.predict()) & (model.predict() <= high)).all(axis=None)
    return model, ((y[size:] >= low) & (y[size:] <= high)).to_numpy()


def test_forecast_and_band_tell_of_one_trend() -> None:
    rng, t = np.random.default_rng(0), np.arange(64)
    y = pd.DataFrame({f"s{i}": 100 + 2 * t + 3 * rng.normal(size=64) for i in range(40)})
    model, inside = held(y, 40, 1)
    paths = model.sample(n_samples=400, random_state=0).to_numpy().reshape(24, 40, 400)
    away = np.median(paths, axis=2) - model.predict().to_numpy()
    assert (np.abs(away[-1]) < 0.3 * paths[-1].std(1)).all()
    assert 0.7 < inside.mean() < 0.92


def test_bands_around_a_growing_season_stay_in_proportion() -> None:
    rng, t = np.random.default_rng(0), np.arange(84)
    season = 1 + 0.3 * np.sin(2 * np.pi * t / 12)
    noise = np.exp(0.05 * rng.normal(size=(20, 84)) + rng.normal(0, 0.02, (20, 84)).cumsum(1))
    y = pd.DataFrame(((1000 + 20 * t) * season * noise).T).add_prefix("s")
    model, inside = held(y, 60, 12)
    upper = model.predict_quantiles(levels=[0.9]).to_numpy()
    assert (upper < 2 * model.predict().to_numpy()).all()
    assert 0.7 < inside.mean() < 0.95
