"""Time-series forecasting with recurrent networks: pandas frames in, honest forecasts out.

The map
-------
data
    Frames become arrays: `read_file`, `load_dataset`, `catalogue`, frequencies, calendars, windows,
    hierarchies.
networks, engine
    Tensors: cells and heads; training, rollout, streaming.
evaluation
    Forecast tables become numbers and pictures: `backtest`, `evaluate`, `RollingOrigin`,
    `stream`, `watch`, `reconcile`.
forecasters
    What users hold, from `NaiveForecaster` to `Seq2SeqForecaster`, and `SymbolForecaster` for words
    and states, listed in `forecast.forecasters.registry`; `load` reads a saved one, `export`
    writes ONNX.
sequences
    `SequenceClassifier` and `SequenceRegressor`: a class, an alarm or a number of whole units,
    or at every step.
contest
    `compare` holds the contest: one table, one verdict.
partitions
    `Partitioned`: many series part by part, on several cores or machines.
inspection
    Looks into fitted forecasters: `explain`, `what_if`, how far back they look, what their
    gradients and states do.
teaching
    Cells, tasks and backpropagation written from their equations, for lectures and experiments.

Importing this package loads none of them; each name loads its own file when it is first used.
"""

from __future__ import annotations

import gc
import importlib
from typing import TYPE_CHECKING, Any

from forecast.forecasters.registry import CLASSES

if TYPE_CHECKING:
    from forecast._checks import ForecastWarning as ForecastWarning
    from forecast.contest.compare import compare as compare
    from forecast.contest.comparison import Comparison as Comparison
    from forecast.data.datasets import catalogue as catalogue
    from forecast.data.datasets import load_dataset as load_dataset
    from forecast.data.files import read_file as read_file
    from forecast.data.hierarchy import Hierarchy as Hierarchy
    from forecast.data.vocabulary import Vocabulary as Vocabulary
    from forecast.evaluation.backtest import backtest as backtest
    from forecast.evaluation.metrics import evaluate as evaluate
    from forecast.evaluation.reconciliation import reconcile as reconcile
    from forecast.evaluation.splits import RollingOrigin as RollingOrigin
    from forecast.evaluation.streaming import stream as stream
    from forecast.evaluation.watching import watch as watch
    from forecast.forecasters.conformal import ConformalForecaster as ConformalForecaster
    from forecast.forecasters.loading import load as load
    from forecast.forecasters.neural.export import export as export
    from forecast.forecasters.registry import *  # noqa: F403
    from forecast.inspection.explaining import explain as explain
    from forecast.inspection.memory import effective_memory as effective_memory
    from forecast.inspection.what_if import what_if as what_if
    from forecast.partitions.partitioned import Partitioned as Partitioned
    from forecast.sequences.classifier import SequenceClassifier as SequenceClassifier
    from forecast.sequences.regressor import SequenceRegressor as SequenceRegressor

__version__ = "0.1.0"

_HOMES = CLASSES | {
    "Comparison": "forecast.contest.comparison",
    "ConformalForecaster": "forecast.forecasters.conformal",
    "ForecastWarning": "forecast._checks",
    "Hierarchy": "forecast.data.hierarchy",
    "Partitioned": "forecast.partitions.partitioned",
    "RollingOrigin": "forecast.evaluation.splits",
    "Vocabulary": "forecast.data.vocabulary",
    "backtest": "forecast.evaluation.backtest",
    "catalogue": "forecast.data.datasets",
    "compare": "forecast.contest.compare",
    "effective_memory": "forecast.inspection.memory",
    "evaluate": "forecast.evaluation.metrics",
    "explain": "forecast.inspection.explaining",
    "export": "forecast.forecasters.neural.export",
    "load": "forecast.forecasters.loading",
    "load_dataset": "forecast.data.datasets",
    "read_file": "forecast.data.files",
    "reconcile": "forecast.evaluation.reconciliation",
    "stream": "forecast.evaluation.streaming",
    "watch": "forecast.evaluation.watching",
    "what_if": "forecast.inspection.what_if",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'forecast' has no attribute {name!r}")
    collecting = gc.isenabled()
    gc.disable()  # a seventh of the wait: what imports make stays, and would be looked at often
    try:
        return getattr(importlib.import_module(_HOMES[name]), name)
    finally:
        if collecting:
            gc.enable()


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
