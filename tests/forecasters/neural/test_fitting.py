"""What short series alone change: which values validate, and how far points lean on naive ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from forecast import MLPForecaster, load
from forecast.engine import validation
from forecast.engine.validation import Validation
from forecast.forecasters.neural import fitting
from forecast.networks.recurrent import Recurrent
from tests.checks import NetworkCase, as_windows, build_model

quiet = pytest.mark.filterwarnings("ignore::forecast.ForecastWarning")
NOISE = np.random.default_rng(0).normal(size=(2000, 2))


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
def test_widths_lean_on_a_line_through_the_past(
    few_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    y = pd.Series(NOISE[:60, 0] + np.arange(60) / 5)
    sizes = fitted(y).model_.residual_size
    monkeypatch.setattr(validation, "line_forecast", lambda *_: torch.tensor(torch.nan))
    assert (sizes < fitted(y).model_.residual_size).all()


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
        (walk(900), {}, [[810, 900], [720, 810]]),
        (walk(2000), {}, None),
        (walk(18), {"n_estimators": 7, "horizon": 2}, None),
        (pd.DataFrame({"a": walk(60), "b": walk(60)}), {}, None),
    ],
)
def test_members_have_blocks_of_their_own_on_one_series(
    y: Any, options: Any, blocks: Any, few_steps: None, monkeypatch: Any
) -> None:
    drawn: list[Any] = []

    class Watched(fitting.Draw):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            drawn.append(self)

    monkeypatch.setattr(fitting, "Draw", Watched)
    fitted(y, **options)
    (own,) = drawn
    everything = blocks is not None or "early_stopping" in options
    assert (own.ends == len(y)).all() == everything
    assert (own.blocks is None) if blocks is None else own.blocks.tolist() == blocks


def test_points_lean_on_the_templates_that_would_have_been_right() -> None:
    season = torch.randn(1, 6, generator=torch.Generator().manual_seed(0)).double().repeat(1, 10)
    sizes = {"scale_window": 12, "lags": (6,), "trend": 0, "mean": False, "known_size": 0}
    model = build_model(NetworkCase(Recurrent, {"cell": "gru"}), (1, 6, 6), **sizes)
    judge = Validation(model, as_windows(season), torch.tensor([48]), 6, 6)
    fitting.shrink(model, judge)
    assert model.naive_weights.tolist() == pytest.approx([0, 1], abs=1e-6)
    told = (judge.independent + 2) / (judge.independent + 4)  # four errors say half
    most = 1 - fitting.network_trust(judge)
    assert float(model.naive_share) == pytest.approx(most * told, abs=1e-6)
