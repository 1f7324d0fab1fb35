from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data import synthetic
from forecast.data.frames import read_frames

GENERATORS = (synthetic.noisy_sine, synthetic.ar1, synthetic.ma1, synthetic.random_walk)


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
    windows = np.lib.stride_tricks.sliding_window_view(y, n + 1)
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
