from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from forecast.data import synthetic
from forecast.data.frames import read_frames
from forecast.teaching import regimes, systems

GENERATORS = (synthetic.noisy_sine, synthetic.sine_mixture, synthetic.ar1, synthetic.ma1,
              synthetic.random_walk)  # fmt: skip
FRAMES = (synthetic.irregular_sine, synthetic.echo, systems.lorenz, systems.narma10,
          systems.linear_plant, regimes.regime_switching)  # fmt: skip


@pytest.mark.parametrize("generate", GENERATORS)
def test_a_seed_makes_a_series(generate: object) -> None:
    y = generate(50, seed=3)
    assert y.index.tolist() == list(range(1, 51))
    assert y.name == generate.__name__
    pd.testing.assert_series_equal(y, generate(50, seed=3))
    assert not np.array_equal(y, generate(50, seed=4))
    assert read_frames(y).freq == 1


@pytest.mark.parametrize("generate", GENERATORS)
def test_bad_lengths(generate: object) -> None:
    with pytest.raises(ValueError, match="`length` must be a positive integer, got 0"):
        generate(0, seed=0)
    with pytest.raises(ValueError, match="`sigma` must be a number in"):
        generate(9, sigma=-1.0, seed=0)


def test_noisy_sine_is_the_sine_and_noise() -> None:
    y = synthetic.noisy_sine(100_000, seed=0)
    residual = y - np.sin(0.01 * np.arange(1, 100_001))
    assert np.mean(residual**2) == pytest.approx(y.attrs["floor"], rel=0.02)
    assert y.attrs["floor"] == pytest.approx(0.04)


@pytest.mark.parametrize("phi", [0.9, -0.6])
@pytest.mark.parametrize("step", [1, 3, 10])
def test_ar1_floor_is_met_by_the_best_forecast(phi: float, step: int) -> None:
    y = synthetic.ar1(200_000, phi=phi, sigma=2.0, seed=1).to_numpy()
    error = y[step:] - phi**step * y[:-step]
    assert np.mean(error**2) == pytest.approx(synthetic.ar1_floor(phi, 2.0, step), rel=0.03)


def test_ar1_starts_stationary() -> None:
    firsts = [synthetic.ar1(1, phi=0.9, seed=s).iloc[0] for s in range(3000)]
    assert np.var(firsts) == pytest.approx(1 / (1 - 0.81), rel=0.1)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_ma1_floor_is_met_by_least_squares_on_a_window(n: int) -> None:
    y = synthetic.ma1(200_000, seed=2).to_numpy()
    windows = sliding_window_view(y, n + 1)
    weights, *_ = np.linalg.lstsq(windows[:, :n], windows[:, n], rcond=None)
    error = windows[:, n] - windows[:, :n] @ weights
    assert np.mean(error**2) == pytest.approx(synthetic.ma1_floor(0.9, 1.0, n), rel=0.02)


def test_ma1_floor_of_a_latent_state_is_one() -> None:
    y = synthetic.ma1(50_000, seed=2)
    shock, errors = 0.0, []
    for value in y:
        errors.append((value - 0.9 * shock) ** 2)
        shock = value - 0.9 * shock
    assert np.mean(errors[100:]) == pytest.approx(y.attrs["floor"], rel=0.03)


def test_random_walk_steps_are_noise() -> None:
    y = synthetic.random_walk(100_000, sigma=2.0, seed=0)
    assert np.mean(np.diff(y) ** 2) == pytest.approx(y.attrs["floor"], rel=0.02)


@pytest.mark.parametrize(
    ("generate", "options"), [(synthetic.ar1, {"phi": 1.0}), (synthetic.ma1, {"theta": -1})]
)
def test_bad_coefficients(generate: object, options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be a number in"):
        generate(10, seed=0, **options)


@pytest.mark.parametrize("generate", FRAMES)
def test_a_seed_makes_a_frame(generate: object) -> None:
    frame = generate(60, seed=3)
    assert frame.index.tolist() == list(range(1, 61))
    pd.testing.assert_frame_equal(frame, generate(60, seed=3))
    assert not np.array_equal(frame, generate(60, seed=4))
    with pytest.raises(ValueError, match="`length` must be a positive integer, got 0"):
        generate(0, seed=0)


@pytest.mark.mission("M02")
def test_a_window_of_two_values_per_sine_is_enough() -> None:
    y = synthetic.sine_mixture(2000, seed=0).to_numpy()
    for n, enough in [(3, False), (4, True)]:
        windows = sliding_window_view(y, n + 1)
        weights, *_ = np.linalg.lstsq(windows[:, :n], windows[:, n], rcond=None)
        error = windows[:, n] - windows[:, :n] @ weights
        assert (np.mean(error**2) < 1e-20) == enough


def test_irregular_sine_is_known_to_who_knows_the_time() -> None:
    y = synthetic.irregular_sine(100_000, seed=0)
    error = y["x"] - np.sin(0.3 * y["elapsed"].cumsum())
    assert np.mean(error**2) == pytest.approx(y.attrs["floor"], rel=0.02)
    assert y["elapsed"].mean() == pytest.approx(1, rel=0.02)


def explained(y: pd.DataFrame, n: int) -> float:
    """Return the R^2 of least squares from a window of n values, where the flag is up."""
    windows = sliding_window_view(y["x"].to_numpy(), n + 1)[y["flag"].to_numpy()[n:] == 1]
    half = len(windows) // 2
    weights, *_ = np.linalg.lstsq(windows[:half, :n], windows[:half, n], rcond=None)
    error = windows[half:, n] - windows[half:, :n] @ weights
    return float(1 - np.mean(error**2) / np.var(windows[half:, n]))


@pytest.mark.parametrize("lag", [5, 20])
@pytest.mark.mission("M03")
def test_an_echo_is_heard_by_who_reaches_it(lag: int) -> None:
    y = synthetic.echo(80_000, lag=lag, seed=0)
    assert explained(y, lag - 1) <= 0.02
    assert explained(y, lag) >= 0.95


@pytest.mark.mission("M03")
def test_floor_of_the_echo_is_met_by_who_remembers_the_cue() -> None:
    lag = 5
    y = synthetic.echo(60_000, lag=lag, seed=0)
    best = y["x"].shift(lag).where(y["flag"] == 1, 0.0)
    assert np.mean((y["x"] - best) ** 2) == pytest.approx(y.attrs["floor"], rel=0.02)
