"""What a worker does with a part: forecast it, or backtest it, and say what came of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pandas as pd
from sklearn.base import clone

from forecast.data.files import write_file
from forecast.evaluation.backtest import backtest
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.loading import load
from forecast.partitions.sources import read


class Done(NamedTuple):
    """What came of a part: its table, None if it was written; or why it failed.

    Data that are refused are refused again; all other failures may be those of a worker.
    """

    part: int
    table: pd.DataFrame | None
    failure: str | None = None
    refused: bool = False


def do_part(
    work: Callable[..., pd.DataFrame],
    forecaster: bytes | BaseForecaster,
    part: int,
    rows: pd.DataFrame | Path,
    file: Path | None,
) -> Done:
    """Work on a part, in a worker; not again if an attempt before left it in its file."""
    if file is not None and file.exists():
        return Done(part, None)
    try:
        table = work(forecaster, read(rows))
        if file is not None:
            write_file(table, file)
    except Exception as error:
        refused = isinstance(error, ValueError | TypeError)
        return Done(part, None, f"{type(error).__name__}: {error}", refused)
    return Done(part, table if file is None else None)


def predict_part(
    forecaster: bytes | BaseForecaster, y: pd.DataFrame, horizon: int, levels: tuple[float, ...]
) -> pd.DataFrame:
    """Return points and quantiles as one table."""
    model: Any = forecaster
    model = loaded(model).apply(y) if isinstance(model, bytes) else clone(model).fit(y)
    points: pd.DataFrame = model.predict(horizon)
    if not levels:
        return points
    bands = model.predict_quantiles(horizon, levels=levels)
    return pd.concat([points, bands.drop(columns=points.columns, errors="ignore")], axis=1)


def backtest_part(
    forecaster: BaseForecaster, y: pd.DataFrame, horizon: int, **options: Any
) -> pd.DataFrame:
    """Return the forecast table; what is called must have a name that a worker knows."""
    return backtest(forecaster, y, horizon, **options)


@functools.lru_cache(maxsize=1)
def loaded(content: bytes) -> BaseForecaster:
    """Return the forecaster of a file's content; a worker loads it once."""
    with TemporaryDirectory() as folder:
        (path := Path(folder) / "model").write_bytes(content)
        return load(path)
