"""What a user's type checker knows of the package: mypy reads `consumer` below, nobody runs it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

import forecast
from forecast.forecasters.registry import HOMES

if TYPE_CHECKING:
    import polars as pl
    from narwhals.typing import IntoDataFrame


def consumer(y: pd.Series[float], X: pd.DataFrame, wide: pd.DataFrame) -> None:
    model = forecast.LSTMForecaster(horizon=12, season_length=12, hidden_size=8, head="normal")
    # the class stays what it is
    assert_type(model.fit(y, X), forecast.LSTMForecaster)
    assert_type(forecast.NaiveForecaster("seasonal").fit(wide), forecast.NaiveForecaster)
    assert_type(forecast.ETSForecaster().fit(y).update(y), forecast.ETSForecaster)
    assert_type(forecast.ARIMAForecaster(season_length=12).fit(y), forecast.ARIMAForecaster)
    assert_type(forecast.MarkovForecaster(order=3, freq="D").fit(y), forecast.MarkovForecaster)
    assert_type(forecast.MLPForecaster(num_layers=2).fit([y, y]), forecast.MLPForecaster)
    assert_type(forecast.RNNForecaster(cell="gru", dropout=0.1).fit(y), forecast.RNNForecaster)
    assert_type(forecast.Seq2SeqForecaster(attention=True).fit(y), forecast.Seq2SeqForecaster)
    watch = forecast.ConformalForecaster(forecast.NaiveForecaster(), adaptive=True)
    assert_type(watch.fit(y).update(y).surprise_, pd.DataFrame)
    parts = forecast.Partitioned(forecast.NaiveForecaster(horizon=3), n_jobs=2)
    assert_type(parts.predict(wide, levels=[0.1]), Any)
    # what comes out
    one = model.predict(3, X)
    assert_type(one, pd.Series[Any] | pd.DataFrame | list[pd.Series[Any]] | IntoDataFrame)
    assert isinstance(one, pd.Series)
    assert_type(one, pd.Series[Any])
    for many in (
        model.predict_quantiles(3, X, levels=[0.1, 0.9]),
        model.predict_interval(3, X, coverage=0.8),
        model.sample(3, X, random_state=np.random.default_rng(0)),
    ):
        assert_type(many, pd.DataFrame | list[pd.DataFrame] | IntoDataFrame)
        if isinstance(many, pd.DataFrame):
            assert_type(many.mean(axis=1), pd.Series[Any])
    assert_type(model.future_frame(3), pd.DataFrame | IntoDataFrame)
    # frames of other libraries
    rows = pl.DataFrame({"ds": [date(2024, 1, 1)], "y": [1.0]})
    ahead = forecast.NaiveForecaster(freq="D").fit(rows, X=rows).update(rows).predict_interval()
    assert isinstance(ahead, pl.DataFrame)
    assert_type(ahead, pl.DataFrame)
    assert_type(model.score(y, X), float)
    assert_type(model.plot(3, X), Axes)
    assert_type(model.history_, pd.DataFrame)
    model.save("a.model")
    assert_type(forecast.load("a.model"), Any)  # a forecaster, or an estimator of sequences
    forecast.export(model.fit(y, sample_weight={"y": 2.0}), "a", levels=[0.1, 0.9])
    # sequences
    alarms = forecast.SequenceClassifier(each_step=True, class_weight="balanced")
    assert_type(alarms.fit([y], [y]), forecast.SequenceClassifier)
    assert_type(forecast.SequenceRegressor(cell="gru").fit(X, y), forecast.SequenceRegressor)
    # data, contest, evaluation
    assert_type(forecast.catalogue(), pd.DataFrame)
    assert_type(forecast.read_file("a.csv", id_col="shop"), pd.Series[Any] | pd.DataFrame)
    assert_type(forecast.load_dataset("elnino"), Any)  # a Series or a frame, by the data set
    contest = forecast.compare(y, horizon=12)
    assert_type(contest, forecast.Comparison)
    assert_type(contest.table, Any)  # a frame of the library of the data
    assert_type(contest.winner, str)
    assert_type(forecast.effective_memory([model], y).table, pd.DataFrame)
    table = forecast.backtest(model, y, horizon=12, n_windows=3)
    assert_type(table, Any)
    assert_type(forecast.evaluate(X, y), pd.DataFrame)
    assert_type(forecast.evaluate(rows), pl.DataFrame)
    assert_type(next(forecast.stream(model, [y])).recent_skill, float)
    assert_type(next(forecast.watch(model, [y], false_alarms=0.001)).alarm, bool)
    hierarchy = forecast.Hierarchy.of(wide, ["region", "shop"])
    assert_type(hierarchy.add_up(wide), pd.DataFrame)
    assert_type(forecast.reconcile(model.predict(3), hierarchy, "ols"), Any)
    assert_type(forecast.explain(model, 3, X, blocks=[1, 12]).parts, Any)
    assert_type(forecast.what_if(model, {"a": X, "b": X}).differences, Any)
    assert issubclass(forecast.ForecastWarning, UserWarning)
    assert_type(forecast.Vocabulary("ab").symbols, "pd.Index[Any]")
    assert_type(forecast.RollingOrigin(3, horizon=12).get_n_splits(), int)
    # a misspelt parameter, a wrong one and a missing one are seen
    forecast.MLPForecaster(hidden=3)  # type: ignore[call-arg]
    forecast.LSTMForecaster(horizon="a year")  # type: ignore[arg-type]
    forecast.RNNForecaster(cel="relu")  # type: ignore[call-arg]
    forecast.compare()  # type: ignore[call-arg]


def every_forecaster() -> str:
    """Return code that fits every forecaster of the registry: it stays what it is."""
    lines = [f"    assert_type(forecast.{name}().fit(y), forecast.{name})" for name in HOMES]
    head = "from typing import Any, assert_type\nimport forecast\n\ndef fit(y: Any) -> None:"
    return "\n".join([head, *lines, ""])


@pytest.mark.slow
def test_the_types_are_those_that_a_strict_checker_sees(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    root = Path(__file__).parents[1]
    settings = tmp_path / "mypy.ini"
    # as if installed: what the package itself does is not the user's to check
    settings.write_text(f"[mypy]\nmypy_path = {root}\n[mypy-forecast.*]\nfollow_imports = silent\n")
    options = ["--strict", "--config-file", str(settings), "--cache-dir", str(tmp_path / "cache")]
    every = tmp_path / "every_forecaster.py"
    every.write_text(every_forecaster())
    checker = [sys.executable, "-m", "mypy", *options, __file__, str(every)]
    found = subprocess.run(checker, capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr


def test_every_exported_name_is_among_them() -> None:
    source = inspect.getsource(consumer) + every_forecaster()
    assert [name for name in forecast.__all__ if f"forecast.{name}" not in source] == []
    assert (Path(forecast.__file__).parent / "py.typed").is_file()
