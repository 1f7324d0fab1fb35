"""Time-series forecasting with recurrent networks: pandas frames in, honest forecasts out.

The map
-------
data
    Frames become arrays: `read_file`, `load_dataset`, `catalogue`, frequencies, calendars, windows.
networks, engine
    Tensors: cells and heads; training, rollout, streaming.
evaluation
    Forecast tables become numbers and pictures: `backtest`, `evaluate`, `RollingOrigin`.
forecasters
    What users hold: `NaiveForecaster`, `ETSForecaster`, `ThetaForecaster`, `ARIMAForecaster`,
    `MarkovForecaster`, `MLPForecaster`, `RNNForecaster`, `LSTMForecaster`, `Seq2SeqForecaster`;
    `load` reads a saved one.
contest
    `compare` holds the contest: one table, one verdict.
memory, diagnostics
    Look into fitted forecasters: how far back they look, what their gradients and states do.

Importing this package loads none of them; each name loads its own file when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecast._checks import ForecastWarning
    from forecast.contest import Comparison, compare
    from forecast.data.datasets import catalogue, load_dataset
    from forecast.data.files import read_file
    from forecast.evaluation.backtest import backtest
    from forecast.evaluation.metrics import evaluate
    from forecast.evaluation.splits import RollingOrigin
    from forecast.forecasters.arima import ARIMAForecaster
    from forecast.forecasters.baselines import NaiveForecaster
    from forecast.forecasters.ets import ETSForecaster
    from forecast.forecasters.markov import MarkovForecaster
    from forecast.forecasters.recurrent import LSTMForecaster, RNNForecaster
    from forecast.forecasters.saving import load
    from forecast.forecasters.seq2seq import Seq2SeqForecaster
    from forecast.forecasters.theta import ThetaForecaster
    from forecast.forecasters.window import MLPForecaster
    from forecast.memory import effective_memory

__version__ = "0.1.0"

_HOMES = {
    "ARIMAForecaster": "forecasters.arima",
    "Comparison": "contest",
    "ETSForecaster": "forecasters.ets",
    "ForecastWarning": "_checks",
    "LSTMForecaster": "forecasters.recurrent",
    "MLPForecaster": "forecasters.window",
    "MarkovForecaster": "forecasters.markov",
    "NaiveForecaster": "forecasters.baselines",
    "RNNForecaster": "forecasters.recurrent",
    "RollingOrigin": "evaluation.splits",
    "Seq2SeqForecaster": "forecasters.seq2seq",
    "ThetaForecaster": "forecasters.theta",
    "backtest": "evaluation.backtest",
    "catalogue": "data.datasets",
    "compare": "contest",
    "effective_memory": "memory",
    "evaluate": "evaluation.metrics",
    "load": "forecasters.saving",
    "load_dataset": "data.datasets",
    "read_file": "data.files",
}

__all__ = [
    "ARIMAForecaster",
    "Comparison",
    "ETSForecaster",
    "ForecastWarning",
    "LSTMForecaster",
    "MLPForecaster",
    "MarkovForecaster",
    "NaiveForecaster",
    "RNNForecaster",
    "RollingOrigin",
    "Seq2SeqForecaster",
    "ThetaForecaster",
    "backtest",
    "catalogue",
    "compare",
    "effective_memory",
    "evaluate",
    "load",
    "load_dataset",
    "read_file",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'forecast' has no attribute {name!r}")
    return getattr(importlib.import_module(f"forecast.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
