"""What short series alone change: which values validate, and how far points lean on naive ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import MLPForecaster, load
from forecast.forecasters.neural import fitting

quiet = pytest.mark.filterwarnings("ignore::forecast.ForecastWarning")
NOISE = np.random.default_rng(0).normal(size=(900, 2))


def walk(length: int) -> pd.Series:
    return pd.Series(NOISE[:length, 0].cumsum())


def fitted(y: Any, X: Any = None, **options: Any) -> MLPForecaster:
    options = {"horizon": 6, "max_epochs": 1, "n_estimators": 2, "random_state": 0} | options
    return MLPForecaster(**options).fit(y, X)


@quiet
def test_points_lean_on_naive_ones_where_few_values_taught_and_no_covariates_tell(
    few_steps: None,
) -> None:
    def share(y: Any, X: Any = None) -> float:
        return float(fitted(y, X).model_.naive_share)

    assert 0 < share(walk(60)) < 1
    assert share(walk(900)) == 0
    assert share(walk(60), pd.DataFrame({"x": NOISE[:60, 1]})) == 0


@quiet
def test_what_points_lean_on_is_saved(tmp_path: Any, few_steps: None) -> None:
    model = fitted(walk(60))
    model.save(tmp_path / "model")
    restored = load(tmp_path / "model")
    assert restored.model_.leans
    pd.testing.assert_series_equal(restored.predict(6), model.predict(6))


@quiet
@pytest.mark.parametrize(
    ("y", "options", "blocks"),
    [
        (walk(60), {}, [[54, 60], [48, 54]]),
        (walk(60), {"n_estimators": 1}, None),
        (walk(60), {"early_stopping": False}, None),
        (walk(500), {}, None),
        (walk(18), {"n_estimators": 3}, None),
        (pd.DataFrame({"a": walk(60), "b": walk(60)}), {}, None),
    ],
)
def test_members_have_blocks_of_their_own_on_one_short_series(
    y: Any, options: Any, blocks: Any, few_steps: None, monkeypatch: Any
) -> None:
    found, calibrate = [], fitting.calibrate

    def spy(model: Any, judge: Any, **named: Any) -> Any:
        found.append(judge.blocks)
        return calibrate(model, judge, **named)

    monkeypatch.setattr(fitting, "calibrate", spy)
    fitted(y, **options)
    assert (found[0] is None) if blocks is None else found[0].tolist() == blocks
