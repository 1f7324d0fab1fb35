"""The linear effect of covariates: found, weighed against none, taken out and put back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.data.frames import read_frames
from forecast.data.panel import Panel
from forecast.forecasters.neural.effect import Effect, spreads


def panel(
    beta: Any, n: int = 120, series: int = 1, noise: float = 0.5, missing: bool = False
) -> Panel:
    """Return walks, seasonal and in units of their own, to which X adds beta x in spreads."""
    rng, days = np.random.default_rng(0), pd.date_range("2024-01-01", periods=n, freq="D")
    ys, Xs = [], []
    for k in range(series):
        X = pd.DataFrame(
            rng.normal(size=(n, len(beta))), columns=[f"x{i}" for i in range(len(beta))]
        )
        week = np.sin(2 * np.pi * np.arange(n) / 7)
        y = noise * rng.normal(size=n).cumsum() + week + X.to_numpy() @ np.asarray(beta)
        keys = {"unique_id": k, "ds": days}
        ys.append(pd.DataFrame(keys | {"y": 10.0**k * y}))
        Xs.append(X.assign(**keys))
    frame = pd.concat(ys)
    if missing:
        frame.iloc[::9, 2] = np.nan
    return read_frames(frame, pd.concat(Xs))


def fitted(given: Panel) -> Effect:
    assert given.X is not None
    return Effect.fit(given, given.X, 7)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("series", [1, 4])
def test_a_planted_effect_is_found(series: int, missing: bool) -> None:
    given = panel([1.5, -0.8], series=series, missing=missing)
    effect = fitted(given)
    found = effect.coef * effect.scale[:, None] / 10.0 ** np.arange(series)[:, None]
    np.testing.assert_allclose(found.mean(0), [1.5, -0.8], atol=0.15)


def test_no_effect_is_none() -> None:
    assert (fitted(panel([0.0, 0.0])).coef == 0).all()


def test_at_their_means_covariates_have_no_effect() -> None:
    given = panel([1.5, -0.8])
    effect = fitted(given)
    assert effect.of(given.X.mean(0), effect.scale) == pytest.approx(0)
    higher = effect.of(given.X.mean(0) + [1, 0], effect.scale)
    assert higher == pytest.approx(effect.coef[0] * effect.scale)


def test_what_is_left_is_what_there_was_without_covariates() -> None:
    given, plain = panel([3.0], noise=0.1), panel([0.0], noise=0.1)
    effect = fitted(given)
    rest = given.values - effect.of(given.X, effect.scale[0])
    level = rest.mean() - plain.values.mean()
    assert np.abs(rest - level - plain.values).max() < 0.15 * np.ptp(given.values)


def test_a_covariate_that_never_changes_is_harmless() -> None:
    given = panel([1.0, 0.0])
    given.X[:, 1] = 5.0
    effect = fitted(given)
    assert np.isfinite(effect.coef).all()
    assert np.isfinite(effect.of(given.X + 1, effect.scale[0])).all()


def test_rounding_of_a_covariate_explains_nothing() -> None:
    given = panel([1.0])
    given.X[:, 0] = np.where(given.X[:, 0] > given.X[:, 0].mean(), 0.1 + 0.2, 0.3)
    assert np.abs(fitted(given).coef).max() < 1


def test_another_unit_of_the_target_scales_the_effect() -> None:
    given = panel([1.5, -0.8])
    once = fitted(given)
    given.values[:] *= 1e4
    other = fitted(given)
    np.testing.assert_allclose(other.coef, once.coef)
    np.testing.assert_allclose(other.scale, 1e4 * once.scale)


def test_spreads_are_standard_deviations_of_what_is_observed() -> None:
    given = panel([1.0], series=3, missing=True)
    expected = [np.nanstd(given.series(k)) for k in range(3)]
    np.testing.assert_allclose(spreads(given), expected)
    given.values[: given.offsets[1]] = 2.0
    assert spreads(given)[0] == 1


def test_tenths_that_never_change_and_series_without_values_have_a_spread_of_one() -> None:
    given = read_frames(
        pd.DataFrame({"flat": np.full(9, 0.1), "none": np.full(9, np.nan)}), allow_empty=True
    )
    assert spreads(given).tolist() == [1.0, 1.0]


def test_too_few_values_say_nothing() -> None:
    assert (fitted(panel([5.0, 5.0], n=8)).coef == 0).all()
