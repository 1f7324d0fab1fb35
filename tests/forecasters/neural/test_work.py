"""Work is counted, not timed: what a new value and a forecast cost must not depend on the past."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import LSTMForecaster, MLPForecaster, PretrainedForecaster, Seq2SeqForecaster
from forecast.data import calendar
from forecast.data.growing import Growing
from forecast.engine import stream, training
from forecast.evaluation.backtest import backtest
from tests.checks import reads

pytestmark = pytest.mark.filterwarnings("ignore::forecast._checks.ForecastWarning")
QUICK: dict[str, Any] = dict(horizon=6, max_epochs=1, hidden_size=4, n_estimators=1, random_state=0)
HOURS = pd.date_range("2024-01-01", periods=3_000, freq="h")
Y = pd.Series(np.sin(np.arange(3_000) * np.pi / 12), HOURS)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "STEPS_PER_EPOCH", 2)


def count(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[int]:
    """Return a list that grows by the length of what a function is given first."""
    seen: list[int] = []
    function = getattr(module, name)

    def counting(first: Any, *rest: Any, **options: Any) -> Any:
        seen.append(len(first) if hasattr(first, "__len__") else 1)
        return function(first, *rest, **options)

    monkeypatch.setattr(module, name, counting)
    return seen


@pytest.mark.parametrize("seen", [100, 2_900])
def test_a_streamed_value_reads_one_step_and_lays_nothing_out(
    seen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LSTMForecaster(**QUICK).fit(Y[seen - 100 : seen])
    model = model.apply(Y[:seen]).update(Y[seen : seen + 1])
    model.predict(1)
    steps = reads(model.model_.network.members[0].layers[0])
    encoded = count(monkeypatch, stream, "shown")
    rows = count(monkeypatch, calendar, "calendar_features")
    for k in range(seen + 1, seen + 81):
        model.update(Y[k : k + 1]).predict(1)
    assert steps == [(1, 1)] * 80
    assert encoded == []
    assert sum(rows) <= 2 * 80  # a stretch of calendar for many values
    assert isinstance(model.panel_, Growing)
    assert "_whole" not in vars(model.panel_)  # neither values nor times were copied
    np.testing.assert_array_equal(model.panel_.values, Y[: seen + 81])


@pytest.mark.parametrize("kind", [LSTMForecaster, MLPForecaster, Seq2SeqForecaster])
def test_a_backtest_reads_each_value_once(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, list[tuple[int, int]]]] = []
    predict_at = kind.predict_at

    def counted(model: Any, *args: Any, **options: Any) -> Any:
        seen.append((model.recipe_.patch, reads(model.model_.network)))
        return predict_at(model, *args, **options)

    monkeypatch.setattr(kind, "predict_at", counted)
    encoded = count(monkeypatch, stream, "shown")
    table = backtest(kind(**QUICK, calendar=False), Y[:400], 6, n_windows=20, step=6)
    assert len(table) == 120
    ((patch, network),) = seen
    # one phase is the newest at every origin: nobody else reads
    assert sum(rows * steps for rows, steps in network) * patch == 19 * 6
    assert len(encoded) == 1  # of fit
    if kind is not Seq2SeqForecaster:  # a decoder begins from the state of every origin
        assert len(network) == 1


def test_a_value_of_the_pretrained_network_is_one_call_for_all_views() -> None:
    model = PretrainedForecaster().fit(Y[:400])
    model.network_ = copy.deepcopy(model.network_)  # the shipped one is shared by all
    steps = reads(model.network_.recurrence)
    model.update(Y[400:401]).predict(1)
    assert len(model.views_) == 3  # day and week, week, day
    assert steps == [(3, 1)]


def test_the_first_update_reads_all_phases_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = LSTMForecaster(**QUICK).fit(Y[:120])
    steps = reads(model.model_.network.members[0].layers[0])
    model.update(Y[120:121])
    patch = model.recipe_.patch
    assert steps == [(patch, -(-121 // patch))]
