"""Every window of a part is scored, and one pass forecasts what value after value would."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from accuracy_ett import LEVELS, Split, origins, score, swept, updated

from forecast import NaiveForecaster, PretrainedForecaster


@pytest.fixture
def y():
    rng = np.random.default_rng(0)
    steps = np.arange(120)
    waves = np.sin(steps[:, None] * 2 * np.pi / 6) + rng.normal(0, 0.3, (120, 2))
    return pd.DataFrame(waves, pd.date_range("2020", periods=120, freq="h"), ["a", "b"])


def test_every_window_is_scored_once(y):
    values, horizon, size = y.to_numpy(), 5, 30
    found = score(NaiveForecaster("last", horizon=horizon), y, horizon, size)
    errors = [
        values[end + j] - values[end - 1]
        for end in range(120 - size, 120 - horizon + 1)
        for j in range(horizon)
    ]
    assert found["windows"] == size - horizon + 1 == len(origins(y, horizon, size))
    assert found["mse"] == pytest.approx(np.square(errors).mean(), abs=1e-4)
    assert found["mae"] == pytest.approx(np.abs(errors).mean(), abs=1e-4)


def test_parts_follow_each_other_in_units_of_the_first(y):
    split = Split(60, 20, 30, 6)
    validation, test = split.standardised(y, "validation"), split.standardised(y, "test")
    assert (len(validation[0]), validation[1]) == (80, 20)
    assert (len(test[0]), test[1]) == (110, 30)
    np.testing.assert_allclose(test[0].iloc[:60].mean(), 0, atol=1e-12)
    np.testing.assert_allclose(test[0].iloc[:60].std(ddof=0), 1)


def test_one_pass_forecasts_what_updates_would(y):
    model = PretrainedForecaster(horizon=7, season_length=6)
    passed, stepped = (np.stack(list(way(model, y, 7, 16))) for way in (swept, updated))
    assert passed.shape == (10, 2, 7, len(LEVELS))
    np.testing.assert_allclose(passed, stepped, atol=0.01)
    assert np.abs(np.diff(passed, axis=0)).mean() > 0.1  # an origin beside it would differ more
