"""Save a fitted forecaster to one file that holds numbers and names, never code (room 5).

The file is safetensors: arrays, and beside them one JSON text with the class, its parameters and
how to read the arrays. Loading runs nothing that the file says.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import tempfile
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes
from sklearn.utils.validation import check_is_fitted

from forecast._checks import short
from forecast.data.frames import Layout, Panel, missing
from forecast.forecasters.base import BaseForecaster

FORMAT_VERSION = 1
# Where the classes of this package are: a file names a class, never a module to import.
HOMES = {
    "NaiveForecaster": "baselines",
    "ETSForecaster": "ets",
    "MarkovForecaster": "markov",
    "MLPForecaster": "neural",
    "RNNForecaster": "neural",
    "LSTMForecaster": "neural",
}


def save(forecaster: BaseForecaster, path: str | PathLike[str]) -> None:
    """Write a fitted forecaster, its history included, to one file.

    An existing file is replaced at the end, so a failure leaves the old one.

    Parameters
    ----------
    forecaster
        Fitted.
    path
        The file.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    ValueError
        If a parameter, a name or an id can not be written as text.
    """
    check_is_fitted(forecaster)
    values, learned = forecaster._state()
    history, panel_arrays = _panel_to_state(forecaster.panel_)
    about = {
        "format_version": FORMAT_VERSION,
        "class": type(forecaster).__name__,
        "params": {
            name: _encode(value, f"parameter `{name}`")
            for name, value in forecaster.get_params(deep=False).items()
        },
        "season_length": forecaster.season_length_,
        "horizon": forecaster.horizon_,
        "panel": history,
        "learned": _encode(values, "a learned value"),
    }
    arrays = {f"panel/{name}": array for name, array in panel_arrays.items()}
    arrays |= {f"learned/{name}": np.asarray(array) for name, array in learned.items()}
    # The format stores memory as it lies: a transposed view would come back scrambled.
    arrays = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}
    # One entry only: their order is random, and the same model should give the same bytes.
    _replace_file(Path(path), to_bytes(arrays, metadata={"forecast": json.dumps(about)}))


def load(path: str | PathLike[str]) -> Any:
    """Read a forecaster that `save` wrote; it forecasts and updates as before.

    Parameters
    ----------
    path
        The file. A forecaster of a class of your own must have been imported before.

    Returns
    -------
    The fitted forecaster.

    Raises
    ------
    ValueError
        If the file is damaged, of a newer format, or names an unknown class.
    FileNotFoundError
        If there is none.
    """
    about, arrays = _read_file(Path(path))
    try:
        cls = _find_class(about["class"])
        forecaster = cls(**_decode(about["params"]))
        forecaster.panel_ = _panel_from_state(about["panel"], _under("panel/", arrays))
        forecaster.freq_ = forecaster.panel_.freq
        forecaster.missing_ = missing(forecaster.panel_)
        forecaster.target_transform_ = None
        forecaster.season_length_, forecaster.horizon_ = about["season_length"], about["horizon"]
        if forecaster.panel_.X is not None:
            forecaster.n_features_in_ = forecaster.panel_.X.shape[1]
        forecaster._restore(
            forecaster.panel_, _decode(about["learned"]), _under("learned/", arrays)
        )
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError, RuntimeError) as error:
        raise ValueError(f"{str(path)!r} is damaged: {error!r}. Save the model again.") from error
    return forecaster


def _read_file(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no saved forecaster at {str(path)!r}.")
    try:
        with safe_open(path, framework="np") as file:
            about = json.loads((file.metadata() or {})["forecast"])
            version = int(about["format_version"])
            if version <= FORMAT_VERSION:
                return about, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{str(path)!r} is no saved forecaster, or it is damaged: {error!r}. Files come from "
            "model.save(path)."
        ) from error
    raise ValueError(
        f"{str(path)!r} has format version {version}, this version of forecast reads up to "
        f"{FORMAT_VERSION}. Install a newer one."
    )


def _replace_file(path: Path, content: bytes) -> None:
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _find_class(name: str) -> type[BaseForecaster]:
    if name in HOMES:
        importlib.import_module(f"forecast.forecasters.{HOMES[name]}")
    candidates = [BaseForecaster]
    for cls in candidates:  # grows on the way
        if cls.__name__ == name and cls is not BaseForecaster:
            return cls
        candidates += cls.__subclasses__()
    raise ValueError(
        f"the file holds a {short(name)}, which is no known forecaster; known are "
        f"{', '.join(HOMES)}. Import your own class before loading."
    )


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    start = len(prefix)
    return {name[start:]: array for name, array in arrays.items() if name.startswith(prefix)}


# Values as JSON: what it lacks is written as {"kind": ...}.


def _encode(value: Any, what: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return _encode(value.item(), what)
    if isinstance(value, pd.offsets.BaseOffset):
        return value.freqstr
    if isinstance(value, pd.Timestamp):
        return {"timestamp": value.isoformat()}
    if isinstance(value, list):
        return [_encode(entry, what) for entry in value]
    if isinstance(value, tuple):
        return {"tuple": [_encode(entry, what) for entry in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _encode(entry, what) for key, entry in value.items()}}
    raise ValueError(
        f"{what} must be numbers and text to be saved to a file that holds no code, got "
        f"{short(value)}. Use joblib.dump(model, path), and load only what you trust."
    )


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(_decode(value["tuple"]))
    if "timestamp" in value:
        return pd.Timestamp(value["timestamp"])
    return {key: _decode(entry) for key, entry in value.get("dict", value).items()}


# The history.


def _panel_to_state(panel: Panel) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    grid, times = _grid_to_state(panel.grid)
    about = {
        "grid": grid,
        "ids": [_encode(name, f"id {name!r}") for name in panel.ids],
        "id_name": _encode(panel.ids.name, "the name of the ids"),
        "X_names": list(panel.X_names),
        "layout": {
            field.name: _encode(getattr(panel.layout, field.name), f"`{field.name}`")
            for field in dataclasses.fields(Layout)
        },
    }
    arrays = {"values": panel.values, "offsets": panel.offsets, "starts": panel.starts}
    if panel.X is not None:
        arrays["X"] = panel.X
    return about, arrays | {"times": times}


def _panel_from_state(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> Panel:
    panel = Panel(
        values=arrays["values"],
        offsets=arrays["offsets"],
        starts=arrays["starts"],
        grid=_grid_from_state(about["grid"], arrays["times"]),
        ids=pd.Index(_decode(about["ids"]), name=_decode(about["id_name"])),
        X=arrays.get("X"),
        X_names=tuple(about["X_names"]),
        layout=Layout(**{name: _decode(value) for name, value in about["layout"].items()}),
    )
    _check_panel(panel)
    return panel


def _check_panel(panel: Panel) -> None:
    """Refuse a history whose parts do not fit: it would fail later, and far from here."""
    fits = (
        panel.values.ndim == 1
        and panel.values.dtype.kind == "f"
        and len(panel.offsets) == panel.n_series + 1 == len(panel.starts) + 1 > 1
        and panel.offsets[0] == 0
        and panel.offsets[-1] == len(panel.values)
        and bool((panel.lengths > 0).all())
        and bool((panel.starts >= 0).all())
        and int(panel.ends.max()) <= len(panel.grid)
        and (panel.X is None or panel.X.shape == (len(panel.values), len(panel.X_names)))
    )
    if not fits:
        raise ValueError("the history in the file is damaged: its parts do not fit together.")


def _grid_to_state(grid: pd.Index) -> tuple[dict[str, Any], np.ndarray]:
    if isinstance(grid, pd.DatetimeIndex):
        about = {
            "kind": "datetime",
            "unit": grid.unit,
            "tz": None if grid.tz is None else str(grid.tz),
        }
    else:
        about = {"kind": "period" if isinstance(grid, pd.PeriodIndex) else "integer"}
    about |= {"freq": getattr(grid, "freqstr", None), "name": _encode(grid.name, "the time's name")}
    return about, np.asarray(getattr(grid, "asi8", grid), dtype=np.int64)


def _grid_from_state(about: dict[str, Any], times: np.ndarray) -> pd.Index:
    name, freq = _decode(about["name"]), about["freq"]
    if about["kind"] == "period":
        return pd.PeriodIndex.from_ordinals(  # type: ignore[attr-defined]
            times, freq=freq, name=name
        )
    if about["kind"] == "integer":
        step = int(times[1] - times[0]) if len(times) > 1 else 1
        return pd.RangeIndex(int(times[0]), int(times[-1]) + step, step, name=name)
    index = pd.DatetimeIndex(times.view(f"M8[{about['unit']}]"), name=name)
    if about["tz"] is not None:
        index = index.tz_localize("UTC").tz_convert(about["tz"])
    return pd.DatetimeIndex(index, freq=freq)
