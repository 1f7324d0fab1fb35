"""Saved models, taken apart and put together again with a right checksum."""

from __future__ import annotations

import json
import re
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import forecast
from forecast.forecasters import saving
from forecast.forecasters.classical.arima import ARIMAForecaster
from forecast.forecasters.classical.theta import ThetaForecaster

RNG = np.random.default_rng(0)
DAYS = pd.date_range("2024-03-25", periods=80, freq="D", tz="Europe/Berlin", name="day")
SALES = pd.Series(20 + RNG.normal(size=72).cumsum(), DAYS[:72], name="sales")
PRICE = pd.DataFrame({"price": RNG.normal(size=80)}, DAYS)
WIDE = pd.DataFrame(
    {"a": SALES.to_numpy(), 7: 1 + SALES.to_numpy() ** 2},
    pd.period_range("2010Q1", periods=72, freq="Q-DEC"),
)
LONG = WIDE.set_axis(range(5, 221, 3)).melt(
    var_name="unique_id", value_name="y", ignore_index=False
)
LONG = LONG.rename_axis("ds").reset_index()
TINY: Any = {"hidden_size": 2, "max_epochs": 1, "n_estimators": 1, "random_state": 0, "horizon": 4}
BUILD = {
    "naive": lambda: forecast.NaiveForecaster("seasonal", season_length=4).fit(WIDE),
    "ets": lambda: forecast.ETSForecaster(season_length=4).fit(LONG),
    "theta": lambda: ThetaForecaster(season_length=4).fit(SALES),
    "arima": lambda: ARIMAForecaster(season_length=4).fit(SALES),
    "markov": lambda: forecast.MarkovForecaster(order=3).fit(SALES, PRICE),
    "mlp": lambda: forecast.MLPForecaster(season_length=4, num_layers=2, **TINY).fit(WIDE),
    "combined": lambda: forecast.CombinedForecaster(
        [forecast.NaiveForecaster("drift"), ThetaForecaster()], season_length=4
    ).fit(WIDE),
    "lstm": lambda: forecast.LSTMForecaster(season_length=14, **TINY).fit(SALES, PRICE),
}


def save_all(folder: Path) -> dict[str, Path]:
    """Write a file of every family."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, build in BUILD.items():
            build().save(folder / name)
    return {name: folder / name for name in BUILD}


def taken_apart(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    with safe_open(path, framework="np") as file:
        about = json.loads(file.metadata()["forecast"])
    del about["sha256"]
    return about, load_file(path)


def forged(path: Path, about: Any, arrays: dict[str, np.ndarray]) -> Path:
    """Write a file whose checksum is right, whatever it says."""
    arrays = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}
    signed = about | {"sha256": saving.checksum(about, arrays)}
    save_file(arrays, path, metadata={"forecast": json.dumps(signed)})
    return path


def answers(path: Path) -> list[Any] | None:
    """Return what a loaded forecaster says, or None if the file is refused as it should be."""
    try:
        model = forecast.load(path)
    except ValueError as error:
        assert repr(str(path)) in str(error) and str(error).endswith(".")
        assert not re.search("MemoryError|not enough memory", repr(error.__cause__))
        return None
    X = PRICE[-8:] if model.panel_.X is not None else None
    if X is not None:
        X = X.set_axis(list(model.panel_.X_names), axis=1)
    said = [model.predict(5, X), model.sample(5, X, n_samples=20, random_state=0)]
    try:
        said.append(model.update(model.predict(1, X), X).predict(2, X))
    except (TypeError, ValueError) as error:  # of a parameter that `fit` would refuse
        assert str(error)
    return said


def same(left: Any, right: Any) -> bool:
    return all(a.equals(b) for a, b in zip(left, right, strict=True))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every entry of a JSON value."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(entry, (*path, key))


JUNK: list[Any] = [None, True, [], {}, [[]], 0, -1, 10**9, 10**30, 2.5, float("nan"), "\x00"]
JUNK += ["os.system", "dateutil//etc/hosts", {"tuple": 3}, {"timestamp": "never"}, {"dict": []}]


def raw_file(header: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + body
