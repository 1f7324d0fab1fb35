"""How wide bands become with the steps ahead: as errors did, whatever the process is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from forecast import NaiveForecaster, ThetaForecaster
from forecast.forecasters.growth import Past, decorrelation, growth, independent_squares
from forecast.forecasters.sampling import _decorrelated

STEPS = 12


def measured(errors: np.ndarray, ends: np.ndarray, echo: np.ndarray) -> np.ndarray:
    """Return the growth of errors without gaps."""
    counts = np.diff(ends)
    follows = np.concatenate([np.arange(count) > 0 for count in counts])
    past = Past.of(errors, np.repeat(np.arange(len(counts)), counts), follows)
    return growth(past, independent_squares(errors, ends, echo), echo)


def factors(*series: np.ndarray, means: float = 0.0, steps: int = STEPS) -> np.ndarray:
    ends, echo = np.cumsum([0, *map(len, series)]), np.ones((len(series), steps))
    drawn = np.concatenate(series)
    owners = np.repeat(np.arange(len(series)), np.diff(ends))
    past = Past.of(drawn + means, owners, ~np.isin(np.arange(len(drawn)), ends))
    return growth(past, independent_squares(drawn, ends, echo), echo)


def test_independent_errors_grow_as_the_recursion_says() -> None:
    rng = np.random.default_rng(0)
    found = factors(*rng.normal(size=(50, 400)))
    assert found.shape == (50, STEPS) and (found[:, 0] == 1).all()
    np.testing.assert_allclose(found.mean(0), 1, atol=0.05)


def test_changes_of_noise_take_each_other_back() -> None:
    noise = np.random.default_rng(0).normal(size=(20, 401))
    found = factors(*np.diff(noise, axis=1))
    np.testing.assert_allclose(found.mean(0), 1 / np.sqrt(np.arange(1, STEPS + 1)), rtol=0.1)


def test_a_mean_that_no_path_has_adds_up() -> None:
    errors = np.random.default_rng(0).normal(size=400)
    alone, biased = factors(errors - errors.mean()), factors(errors - errors.mean(), means=0.5)
    steps = np.arange(1, STEPS + 1)
    np.testing.assert_allclose((biased / alone)[0] ** 2, 1 + 0.25 * steps, rtol=0.35)


def test_every_series_is_measured_alone_and_far_steps_go_on() -> None:
    series = [*np.random.default_rng(0).normal(size=(3, 30)), np.zeros(20), np.ones(3), np.empty(0)]
    together = factors(*series, steps=40)
    for row, one in zip(together, series, strict=True):
        np.testing.assert_array_equal(row, factors(one, steps=40)[0])
    np.testing.assert_array_equal(together[:, :7], factors(*series, steps=7))
    assert (together[:3, 30:] == together[:3, [29]]).all()
    assert (together[[3, 5]] == 1).all()


def test_repeated_seasons_err_alike_within_one_season() -> None:
    errors, echo = np.random.default_rng(0).normal(size=60), np.arange(8)[None] % 4 == 0
    found = measured(errors, np.array([0, 60]), echo.astype(float))[0]
    assert (found[:4] == 1).all() and found[4] != 1 and (found[4:] == found[4]).all()


def test_a_series_without_an_echo_is_not_measured_because_another_has_one() -> None:
    errors, ends = np.random.default_rng(0).normal(size=120), np.array([0, 60, 120])
    echo = np.stack([np.ones(8), np.arange(8) % 4 == 0])
    together, alone = measured(errors, ends, echo), measured(errors[60:], ends[:2], echo[1:])
    np.testing.assert_array_equal(together[1], alone[0])


def width_at(panel: pd.DataFrame, steps: int) -> float:
    """Return how wide naive bands are so many steps ahead, the mean of a wide panel."""
    band = NaiveForecaster().fit(panel).predict_interval(steps).to_numpy().reshape(steps, -1, 2)
    return float(np.ptp(band, axis=2)[-1].mean())


def test_naive_errors_far_ahead_are_measured_over_gaps() -> None:
    rng = np.random.default_rng(0)
    noise = pd.DataFrame(rng.normal(size=(120, 40))).add_prefix("s")
    gaps = noise.mask(rng.random(noise.shape) < 0.4)
    gaps.iloc[[0, -1]] = 0.0
    far = [width_at(panel, STEPS) for panel in (noise, gaps)]
    assert far[1] == pytest.approx(far[0], rel=0.15)


def test_errors_on_both_sides_of_a_gap_are_not_neighbours() -> None:
    rng = np.random.default_rng(0)
    noise = pd.DataFrame(rng.normal(size=(400, 20))).add_prefix("s")
    gaps = noise.mask(rng.random(noise.shape) < 0.2)
    gaps.iloc[[0, -1]] = 0.0
    far = [width_at(panel, 4) for panel in (noise, gaps)]
    assert far[1] == pytest.approx(far[0], rel=0.1)


def test_where_means_are_not_known_nothing_is_measured() -> None:
    assert (factors(np.tile([1.0, -1.0], 50), means=np.nan) == 1).all()


@pytest.mark.parametrize(
    "model", [NaiveForecaster(), pytest.param(ThetaForecaster(), marks=pytest.mark.slow)], ids=repr
)
def test_bands_hold_for_walks_and_for_series_that_come_back(model: Any) -> None:
    rng, size = np.random.default_rng(1), 150
    for persistence in (0.0, 0.7, 1.0):
        states = np.zeros((size + STEPS, 200))
        for t in range(1, size + STEPS):
            states[t] = persistence * states[t - 1] + rng.normal(size=200)
        model.fit(pd.DataFrame(states[:size]).add_prefix("s"))
        band = model.predict_interval(STEPS, coverage=0.8).to_numpy().reshape(STEPS, -1, 2)
        inside = (states[size:] >= band[..., 0]) & (states[size:] <= band[..., 1])
        assert 0.75 < inside.mean() < 0.85
        assert 0.72 < inside[-4:].mean() < 0.88


def share_apart(series: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Return by which share naive forecasts of series (n, T) err less together than of walks."""
    errors, (n, size) = np.diff(series, axis=1), series.shape
    ends, echo = np.arange(n + 1) * (size - 1), np.ones((n, steps))
    follows = np.arange(n * (size - 1)) % (size - 1) > 0
    past = Past.of(errors.ravel(), np.repeat(np.arange(n), size - 1), follows)
    claimed = independent_squares(errors.ravel(), ends, echo)
    return decorrelation(past, claimed[:, 0], echo, growth(past, claimed, echo))


def test_errors_of_walks_belong_together_as_the_recursion_says_and_of_others_less() -> None:
    shocks = np.random.default_rng(0).normal(size=(40, 600))
    assert share_apart(shocks.cumsum(1)).mean() < 0.05
    comes_back = lfilter([1.0], [1.0, -0.7], shocks)
    assert 0.1 < share_apart(comes_back).mean() < 0.3
    assert (share_apart(comes_back[:, :8]) == 0).all()  # no error so far ahead is known


def test_decorrelated_paths_have_the_same_values_and_lower_correlations() -> None:
    walks = np.random.default_rng(0).normal(size=(2, 4_000, 6)).cumsum(2)
    loose = _decorrelated(walks.copy(), np.array([0.0, 0.4]), np.random.default_rng(1))
    np.testing.assert_array_equal(loose[0], walks[0])
    np.testing.assert_array_equal(np.sort(loose[1], 0), np.sort(walks[1], 0))
    before, after = (np.corrcoef(paths[1].T)[~np.eye(6, dtype=bool)] for paths in (walks, loose))
    np.testing.assert_allclose(after, 0.6 * before, atol=0.04)
    fewer = _decorrelated(walks[..., :3].copy(), np.array([0.0, 0.4]), np.random.default_rng(1))
    np.testing.assert_array_equal(fewer, loose[..., :3])


def test_sums_of_paths_are_as_wide_as_those_of_a_series_that_comes_back() -> None:
    shocks = np.random.default_rng(0).normal(size=(20, 400))
    y = lfilter([1.0], [1.0, -0.7], shocks)
    model = NaiveForecaster(horizon=STEPS).fit(pd.DataFrame(y.T))
    sums = model.sample(STEPS, n_samples=400, random_state=0).to_numpy()
    spread = sums.reshape(STEPS, 20, 400).sum(0).std(1).mean()
    errors = np.lib.stride_tricks.sliding_window_view(y, STEPS + 1, axis=1)
    assert spread == pytest.approx((errors[..., 1:] - errors[..., :1]).sum(2).std(), rel=0.05)


def test_how_far_apart_steps_are_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    measure = NaiveForecaster._decorrelation
    monkeypatch.setattr(
        NaiveForecaster, "_decorrelation", lambda self: calls.append(1) or measure(self)
    )
    y = pd.Series(np.random.default_rng(0).normal(size=80).cumsum())
    model = NaiveForecaster(horizon=6).fit(y[:60])
    for _ in range(3):
        model.sample(6, random_state=0)
    assert len(calls) == 1
    model.update(y[60:])
    fresh = model.apply(y)
    pd.testing.assert_frame_equal(model.sample(6, random_state=0), fresh.sample(6, random_state=0))
    assert len(calls) == 3


def test_how_far_apart_steps_are_stays_while_errors_become_long_ago() -> None:
    y = pd.Series(np.random.default_rng(0).normal(size=80) * np.arange(80))
    model = ThetaForecaster(horizon=6).fit(y[:60])
    kept = model._kept_decorrelation()
    assert model.update(y[60:])._kept_decorrelation() is kept
    np.testing.assert_allclose(model._decorrelation(), kept)


def test_paths_are_drawn_from_a_random_state_of_old_too() -> None:
    model = NaiveForecaster(horizon=3).fit(pd.Series(np.arange(40.0) % 7))
    first, again = (model.sample(3, random_state=np.random.RandomState(3)) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
