"""What is usual raises few alarms, what is odd raises one."""

from __future__ import annotations

import functools
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer

from forecast import ETSForecaster, MarkovForecaster, NaiveForecaster, watch
from forecast.evaluation.watching import Steady, Tail, Watched

LATER = functools.partial(pytest.param, marks=pytest.mark.slow)
HISTORY = 300


def streams(kind: str, steps: int, n: int, seed: int = 0) -> pd.DataFrame:
    """Return n series side by side: noise, an autoregression, heavy tails, a season, a walk."""
    rng = np.random.default_rng(seed)
    shape = (HISTORY + steps, n)
    noise = rng.standard_t(4, shape) if kind == "heavy" else rng.normal(size=shape)
    memory = {"noise": 0.0, "walk": 1.0}.get(kind, 0.7)
    x = noise.copy()
    for t in range(1, len(x)):
        x[t] += memory * x[t - 1]
    if kind == "season":
        x += 3 * np.sin(2 * np.pi * np.arange(len(x)) / 7)[:, None]
    return pd.DataFrame(x)


def seen(model: Any, y: pd.DataFrame | pd.Series, **options: Any) -> pd.DataFrame:
    """Watch what comes after the history, one by one."""
    rows = (y[a:b] for a, b in pairwise(range(HISTORY, len(y) + 1)))
    return pd.DataFrame(watch(model.fit(y[:HISTORY]), rows, **options))


def false_alarm_rate(model: Any, kind: str, steps: int) -> float:
    return seen(model, streams(kind, steps, 200))["alarm"].mean()


def share_found(model: Any, kind: str, n: int = 200) -> float:
    """Return how many of n shifts by 4 spreads are found within 3 values."""
    y = streams(kind, 3, n)
    y.iloc[HISTORY:] += 4 * y[:HISTORY].std()
    return seen(model, y).groupby("series")["alarm"].any().mean()


@pytest.mark.slow
def test_one_in_a_hundred_usual_values_raises_an_alarm():
    assert 0.005 <= false_alarm_rate(MarkovForecaster(order=2), "noise", 20) <= 0.02


def test_a_shift_of_the_level_is_found():
    assert share_found(MarkovForecaster(order=2), "season", 100) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (MarkovForecaster(order=2), "memory"),
        (MarkovForecaster(order=2), "heavy"),
        (MarkovForecaster(order=8), "season"),
        (NaiveForecaster(), "walk"),
        (ETSForecaster(season_length=1), "memory"),
    ],
)
def test_other_streams_and_models_keep_the_rate_and_find_the_shift(model, kind):
    assert 0.005 <= false_alarm_rate(model, kind, 100) <= 0.02
    if kind != "walk":  # whose spread grows with its length
        assert share_found(model, kind) >= 0.95


@pytest.mark.parametrize("share", [LATER(0.002), 0.01, LATER(0.2)])
def test_a_value_raises_an_alarm_if_and_only_if_it_leaves_its_band(share):
    found = seen(NaiveForecaster(), streams("walk", 30, 10), false_alarms=share)
    outside = (found["value"] < found["lower"]) | (found["value"] > found["upper"])
    assert outside.equals(found["alarm"])
    assert found["alarm"].equals(found["p_value"] <= share)
    assert found["alarm"].any() or share < 0.1


def test_the_odder_a_value_the_smaller_its_p_value():
    y, p_values = streams("walk", 1, 1)[0], []
    for away in (0.1, 3, 20):
        y[HISTORY] = y[HISTORY - 1] + away
        p_values.append(seen(NaiveForecaster(), y).loc[0, "p_value"])
    assert p_values == sorted(p_values, reverse=True)
    assert p_values[0] > 0.8
    assert p_values[-1] < 1e-4


@pytest.mark.parametrize("shape", [0.0, 0.3])
def test_a_tail_is_found_and_its_quantiles_have_their_share(shape):
    scores = np.random.default_rng(0).pareto(1 / shape, 20_000) if shape else None
    scores = np.random.default_rng(0).exponential(size=20_000) if scores is None else scores
    tail = Tail.of(np.sort(scores))
    assert tail.shape == pytest.approx(shape, abs=0.12)
    for share in (0.01, 0.001):
        assert tail.survival(tail.quantile(share)) == pytest.approx(share)
        assert (scores > tail.quantile(share)).mean() == pytest.approx(share, rel=0.3)


def test_what_never_moved_is_odd_when_it_moves():
    y = pd.Series(np.r_[np.full(HISTORY, 7.0), 8.0])
    (found,) = watch(NaiveForecaster().fit(y[:HISTORY]), [y[HISTORY:]])
    assert found.alarm


def test_one_wide_band_is_narrowed_and_a_lasting_change_is_followed():
    steady, unit = Steady(1), np.array([[-1.0, 0.0, 2.0]])
    widths = [1.0] * 20 + [9.0] + [1.0] * 4 + [9.0] * 20
    found = np.array([steady.of(width * unit, at)[0] for at, width in enumerate(widths)])
    np.testing.assert_allclose(found[[20, 21, 25, -1]], np.outer([3, 1, 3, 9], unit))


def test_bands_keep_the_rhythm_of_the_season():
    steady = Steady(2)
    bands = [np.array([[-half, 0.0, half]]) for half in (1.0, 5.0) * 10]
    np.testing.assert_allclose([steady.of(band, at) for at, band in enumerate(bands)], bands)


def test_of_two_bands_nothing_is_usual():
    steady = Steady(1)
    found = [steady.of(np.array([[-w, 0.0, w]]), at)[0, 2] for at, w in enumerate((1, 1, 9, 9))]
    assert found == [1, 1, 9, 3]


def test_bands_without_width_or_end_stay_as_they_are():
    steady = Steady(1)
    widths = [1.0, 1.0, 1.0, 0.0, np.inf]
    found = [steady.of(np.array([[-w, 0.0, w]]), at)[0, 2] for at, w in enumerate(widths)]
    assert found == widths


def test_the_stream_goes_on_at_its_place_of_the_season():
    rng = np.random.default_rng(0)
    y = pd.Series(np.resize([1.0, 100.0], 311) * rng.lognormal(0, 0.1, 311))
    logarithm = FunctionTransformer(np.log, np.exp, check_inverse=False)
    model = NaiveForecaster("seasonal", season_length=2, target_transform=logarithm).fit(y[:301])
    found = pd.DataFrame(watch(model, (y[k : k + 1] for k in range(301, 311))))
    assert (found["upper"] / found["forecast"]).max() < 2


def test_bands_of_several_steps_at_once_grow_as_the_model_says():
    y = streams("walk", 96, 20)
    items = (y[a : a + 24] for a in range(HISTORY, len(y), 24))
    found = pd.DataFrame(watch(NaiveForecaster().fit(y[:HISTORY]), items))
    assert 0.002 <= found["alarm"].mean() <= 0.02


def test_errors_that_grow_are_a_drift():
    y = streams("noise", 40, 20)
    y.iloc[HISTORY:, :10] *= 5
    drift = seen(MarkovForecaster(order=2), y).groupby("series")["drift"].last()
    assert (drift[:10] > 3).all()
    assert (drift[10:].abs() < 3).all()


def test_it_forecasts_as_the_model_does_and_absorbs():
    y = streams("season", 5, 2)
    model = MarkovForecaster(order=8)
    found = seen(model, y)
    before = MarkovForecaster(order=8).fit(y[:HISTORY])
    medians = before.predict_quantiles(1, levels=[0.5]).to_numpy()[0]
    np.testing.assert_allclose(found["forecast"][:2], medians)
    pd.testing.assert_frame_equal(model.predict(3), before.update(y[HISTORY:]).predict(3))
    assert found["time"].tolist() == np.repeat(range(HISTORY, HISTORY + 5), 2).tolist()
    assert found["series"].tolist() == [0, 1] * 5


def test_missing_values_are_not_judged_and_covariates_are_used():
    y, X = streams("noise", 4, 1)[0], pd.DataFrame({"x": np.arange(HISTORY + 4) % 3.0})
    y += 9 * X["x"]
    y[HISTORY + 1] = np.nan
    model = MarkovForecaster(order=1).fit(y[:HISTORY], X)
    places = range(HISTORY, HISTORY + 4)
    found = list(watch(model, (y[k : k + 1] for k in places), (X[k : k + 1] for k in places)))
    assert [one.time for one in found] == [HISTORY, HISTORY + 2, HISTORY + 3]
    assert found[0].p_value > 0.02
    assert found[0].upper - found[0].lower < 9


@pytest.mark.parametrize("kind", [LATER("list"), "long", LATER("multi")])
def test_any_kind_of_frame_is_watched(kind):
    y = streams("walk", 2, 2).rename(columns=str)

    def shaped(part: pd.DataFrame) -> Any:
        if kind == "list":
            return [part["0"], part["1"]]
        long = part.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
        return long if kind == "long" else long.set_index(["unique_id", "ds"])["y"]

    model = NaiveForecaster().fit(shaped(y[:HISTORY]))
    found = list(watch(model, [shaped(y[k : k + 1]) for k in (HISTORY, HISTORY + 1)]))
    expected = list(seen(NaiveForecaster(), y).itertuples(index=False))
    for one, other in zip(found, expected, strict=True):
        assert one == Watched(one.time, other.series, *other[2:])


def test_the_band_of_counts_does_not_reach_below_zero_until_a_value_does():
    y = pd.Series(np.random.default_rng(0).poisson(0.7, HISTORY + 3).astype(float))
    y.iloc[-2:] = -1
    usual, below, again = seen(NaiveForecaster(), y).itertuples()
    assert (usual.lower, usual.alarm) == (0, False)
    assert (below.lower, below.alarm) == (0, True)
    assert (again.lower < -1, again.alarm) == (True, False)
    free = seen(NaiveForecaster(target_transform=FunctionTransformer(check_inverse=False)), y)
    assert free.loc[0, "lower"] < 0  # transformed values are bounded by the inverse, if at all


def test_a_short_history_has_a_band_too():
    y = pd.Series([1.0, 2.0, 1.5, 2.5, 1.0, 9.0])
    (found,) = watch(NaiveForecaster().fit(y[:5]), [y[5:]])
    assert found.alarm
    assert np.isfinite([found.lower, found.upper]).all()


def test_a_share_of_alarms_must_be_one():
    with pytest.raises(ValueError, match="`false_alarms` must be a number in"):
        next(watch(NaiveForecaster().fit(pd.Series([1.0, 2.0])), [], false_alarms=2))
