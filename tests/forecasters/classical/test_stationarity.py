"""Strong seasons and wandering levels are told from noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from statsmodels.tsa.stattools import kpss

from forecast.forecasters.classical.stationarity import strong_season, wanders


def test_a_season_is_strong_or_not() -> None:
    t, noise = np.arange(60), np.random.default_rng(0).normal(size=60)
    assert strong_season(noise, 12) is None
    season = strong_season(5 * np.sin(2 * np.pi * t / 12) + 0.1 * t + noise, 12)
    assert season is not None
    np.testing.assert_allclose(season, 5 * np.sin(2 * np.pi * t / 12), atol=1.5)


@pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.InterpolationWarning")
@pytest.mark.filterwarnings("ignore:kpss currently returns:FutureWarning")
def test_the_test_of_stationarity_is_that_of_statsmodels() -> None:
    found = []
    for seed in range(20):
        y = lfilter([1.0], [1, -0.9], np.random.default_rng(seed).normal(size=200))[100:]
        found.append(wanders(y))
        assert found[-1] == (kpss(y, nlags=2)[0] > 0.463)
    assert 0 < sum(found) < 20
