"""The exact filter: against statsmodels, against brute force, and as a floor."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.tsa.regime_switching.markov_autoregression import MarkovAutoregression

from forecast.teaching.regimes import Switching, hamilton_filter, regime_switching


@pytest.mark.parametrize("model", [Switching(), Switching(0.9, phi=(0.5, -0.9), sigma=(1, 0.2))])
def test_filter_equals_statsmodels(model: Switching) -> None:
    x = regime_switching(500, model=model, seed=0)["x"].to_numpy()
    theirs = MarkovAutoregression(x, k_regimes=2, order=1, trend="n", switching_variance=True)
    variances = np.square(model.sigma)
    result = theirs.filter([model.stay, 1 - model.stay, *variances, *model.phi])
    ours = hamilton_filter(x, model=model)
    np.testing.assert_allclose(ours["log_density"], result.llf_obs, atol=1e-10)
    filtered = result.filtered_marginal_probabilities[:, 1]
    np.testing.assert_allclose(ours["probability"], filtered, atol=1e-10)


def test_filter_equals_the_sum_over_all_paths_of_regimes() -> None:
    model = Switching(0.8, mu=(1.0, -2.0), phi=(0.9, -0.6), sigma=(0.3, 1.0))
    x = regime_switching(8, model=model, seed=1)["x"].to_numpy()
    total = 0.0
    for path in product((0, 1), repeat=8):
        chance = 0.5
        for t in range(1, 8):
            z = path[t]
            chance *= model.stay if z == path[t - 1] else 1 - model.stay
            chance *= norm.pdf(x[t], model.mu[z] + model.phi[z] * x[t - 1], model.sigma[z])
        total += chance
    told = hamilton_filter(x, model=model)
    assert told["log_density"].sum() == pytest.approx(np.log(total), abs=1e-12)


def test_nobody_beats_the_filter() -> None:
    for seed in range(5):
        y = regime_switching(20_000, seed=seed)
        told, x = hamilton_filter(y["x"]), y["x"].to_numpy()
        # least squares over ten values, and over the same with their squares
        windows = np.lib.stride_tricks.sliding_window_view(x, 11)
        design = np.column_stack([windows[:, :10], windows[:, :10] ** 2, np.ones(len(windows))])
        weights, *_ = np.linalg.lstsq(design[:10_000], windows[:10_000, 10], rcond=None)
        error = windows[10_000:, 10] - design[10_000:] @ weights
        best = x[10_010:] - told["mean"].to_numpy()[10_009:]
        assert np.mean(best**2) < np.mean(error**2)
        oracle = x[1:] - np.take((0.9, -0.6), y["regime"][1:]) * x[:-1]
        assert np.mean(oracle**2) < np.mean((x[1:] - told["mean"]) ** 2)


def test_regimes_stay_as_long_as_told() -> None:
    regime = regime_switching(200_000, seed=0)["regime"]
    assert (regime.diff().abs()[1:] == 0).mean() == pytest.approx(0.98, abs=0.002)
    assert regime.mean() == pytest.approx(0.5, abs=0.05)
