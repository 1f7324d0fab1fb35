"""Strong seasons are told from noise."""

from __future__ import annotations

import numpy as np

from forecast.forecasters.classical.stationarity import strong_season


def test_a_season_is_strong_or_not() -> None:
    t, noise = np.arange(60), np.random.default_rng(0).normal(size=60)
    assert strong_season(noise, 12) is None
    season = strong_season(5 * np.sin(2 * np.pi * t / 12) + 0.1 * t + noise, 12)
    assert season is not None
    np.testing.assert_allclose(season, 5 * np.sin(2 * np.pi * t / 12), atol=1.5)
