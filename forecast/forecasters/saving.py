"""Save a fitted forecaster to one file that holds numbers and names, never code (room 5).

The file is safetensors: arrays, and beside them one JSON text with the class, its parameters, how
to read the arrays, and a checksum of all of it. Loading runs nothing that the file says.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import secrets
from inspect import isabstract
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import safe_open
from safetensors.numpy import save as to_bytes
from sklearn.utils.validation import check_is_fitted

from forecast._checks import positive_integer, short
from forecast.data.frames import Layout, Panel, missing, restore
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.encoding import decode, encode
from forecast.forecasters.registry import HOMES, forecaster_class

FORMAT_VERSION = 1


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
    name = type(forecaster).__name__
    if name in HOMES and _find_class(name) is not type(forecaster):
        raise ValueError(
            f"the class {name} is not the one of this package, and would be read as that one. "
            "Rename your class."
        )
    values, learned = forecaster._state()
    history, panel_arrays = _panel_to_state(forecaster.panel_)
    about = {
        "format_version": FORMAT_VERSION,
        "class": name,
        "params": {
            name: encode(value, f"parameter `{name}`")
            for name, value in forecaster.get_params(deep=False).items()
        },
        "season_length": forecaster.season_length_,
        "horizon": forecaster.horizon_,
        "panel": history,
        "learned": encode(values, "a learned value"),
    }
    arrays = {f"panel/{name}": array for name, array in panel_arrays.items()}
    arrays |= {f"learned/{name}": np.asarray(array) for name, array in learned.items()}
    # The format stores memory as it lies: a transposed view would come back scrambled.
    arrays = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}
    text = json.dumps(about | {"sha256": _checksum(about, arrays)})
    # One entry only: their order is random, and the same model should give the same bytes.
    _replace_file(Path(path), to_bytes(arrays, metadata={"forecast": text}))


def load(path: str | PathLike[str]) -> BaseForecaster:
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
    cls = _find_class(about.get("class"))
    if cls is None:
        raise ValueError(
            f"{str(path)!r} holds a {short(about.get('class'))}, which is no known forecaster; "
            f"known are {', '.join(HOMES)}. Import your own class before loading."
        )
    try:
        with np.errstate(all="ignore"):
            return _rebuild(cls, about, arrays)
    except Exception as error:  # a file that somebody else wrote can go wrong in any way
        raise ValueError(
            f"{str(path)!r} is damaged: {short(error)}. Save the model again."
        ) from error


def _rebuild(
    cls: type[BaseForecaster], about: dict[str, Any], arrays: dict[str, np.ndarray]
) -> BaseForecaster:
    """Return the forecaster, after it has made a forecast of one step."""
    forecaster = cls(**{name: decode(value) for name, value in about["params"].items()})
    panel = _panel_from_state(about["panel"], _under("panel/", arrays))
    forecaster.panel_, forecaster.freq_, forecaster.missing_ = panel, panel.freq, missing(panel)
    forecaster.target_transform_ = None
    forecaster.season_length_ = positive_integer("season_length", about["season_length"])
    forecaster.horizon_ = positive_integer("horizon", about["horizon"])
    if panel.X is not None:
        forecaster.n_features_in_ = panel.X.shape[1]
    forecaster._restore(panel, decode(about["learned"]), _under("learned/", arrays))
    known = None if panel.X is None else np.zeros((panel.n_series, 1, panel.X.shape[1]))
    values = forecaster._predict(1, known)
    paths = forecaster._sample(1, 1, known, np.random.default_rng(0))
    fits = values.shape == (panel.n_series, 1) and paths.shape == (panel.n_series, 1, 1)
    if not (fits and np.isfinite(values).all() and np.isfinite(paths).all()):
        raise ValueError("what was learned gives no forecast of this history")
    restore(panel, values)
    return forecaster


def _read_file(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no saved forecaster at {str(path)!r}.")
    try:
        with safe_open(path, framework="np") as file:
            about = json.loads((file.metadata() or {})["forecast"])
            version = positive_integer("format_version", about["format_version"])
            readable = version <= FORMAT_VERSION
            names = file.keys() if readable else []
            arrays = {name: file.get_tensor(name) for name in names}
            checksum = about.pop("sha256") if readable else None
    except OSError:
        raise
    except Exception as error:  # each of the libraries has its own ways to refuse
        raise ValueError(
            f"{str(path)!r} is no saved forecaster, or it is damaged: {short(error)}. Files come "
            "from model.save(path)."
        ) from error
    if not readable:
        raise ValueError(
            f"{str(path)!r} has format version {version}, this version of forecast reads up to "
            f"{FORMAT_VERSION}. Install a newer one."
        )
    if checksum != _checksum(about, arrays):
        raise ValueError(
            f"{str(path)!r} is damaged: it is not what was written. Save the model again, or take "
            "another copy."
        )
    return about, arrays


def _checksum(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of all that a file says."""
    total = hashlib.sha256(json.dumps(about).encode())
    for name, array in sorted(arrays.items()):
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(array.reshape(-1).view(np.uint8).data)
    return total.hexdigest()


def _replace_file(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _find_class(name: Any) -> type[BaseForecaster] | None:
    """Return the forecaster of a name: this package's, else the one defined last, else None."""
    if not isinstance(name, str):
        return None
    if name in HOMES:
        return forecaster_class(name)
    candidates = list(BaseForecaster.__subclasses__())
    for cls in candidates:  # grows on the way
        candidates += cls.__subclasses__()
    named = [cls for cls in candidates if cls.__name__ == name and not isabstract(cls)]
    return named[-1] if named else None


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    start = len(prefix)
    return {name[start:]: array for name, array in arrays.items() if name.startswith(prefix)}


# The history.


def _panel_to_state(panel: Panel) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    grid, times = _grid_to_state(panel.grid)
    about = {
        "grid": grid,
        "ids": [encode(name, f"id {name!r}") for name in panel.ids],
        "id_dtype": str(panel.ids.dtype),
        "id_name": encode(panel.ids.name, "the name of the ids"),
        "X_names": list(panel.X_names),
        "past_names": list(panel.past_names),
        "layout": {
            field.name: encode(getattr(panel.layout, field.name), f"`{field.name}`")
            for field in dataclasses.fields(Layout)
        },
    }
    arrays = {"values": panel.values, "offsets": panel.offsets, "starts": panel.starts}
    beside = {"X": panel.X, "past": panel.past}
    arrays |= {name: part for name, part in beside.items() if part is not None}
    return about, arrays | {"times": times}


def _panel_from_state(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> Panel:
    ids = [decode(name) for name in about["ids"]]
    panel = Panel(
        values=arrays["values"],
        offsets=arrays["offsets"],
        starts=arrays["starts"],
        grid=_grid_from_state(about["grid"], arrays["times"]),
        ids=pd.Index(ids, dtype=about["id_dtype"], name=decode(about["id_name"])),
        X=arrays.get("X"),
        X_names=tuple(about["X_names"]),
        layout=Layout(**{name: decode(value) for name, value in about["layout"].items()}),
        past=arrays.get("past"),
        past_names=tuple(about["past_names"]),
    )
    if not (_fits(panel) and _fits_layout(panel)):
        raise ValueError("the parts of the history do not fit together")
    return panel


def _fits(panel: Panel) -> bool:
    """Tell whether the arrays are a history; if not they would fail later, and far from here."""
    values, offsets, starts = panel.values, panel.offsets, panel.starts
    return (
        values.ndim == offsets.ndim == starts.ndim == 1
        and values.dtype in (np.float32, np.float64)
        and offsets.dtype == starts.dtype == np.int64
        and len(offsets) == panel.n_series + 1 == len(starts) + 1 > 1
        and offsets[0] == 0
        and offsets[-1] == len(values)
        and bool((panel.lengths > 0).all())
        and bool(((0 <= starts) & (starts < len(panel.grid))).all())
        and int(panel.ends.max()) <= len(panel.grid)
        and bool(np.isfinite(values[offsets[:-1]]).all())
        and not np.isinf(values).any()
    )


def _fits_layout(panel: Panel) -> bool:
    """Tell whether names and covariates are those of a history."""
    layout, n = panel.layout, panel.n_series
    beside = [(panel.X, panel.X_names), (panel.past, panel.past_names)]
    names = {"series": 1, "list": n, "wide": 1, "long": 0, "multi": 0}
    return (
        len(layout.names) == names[layout.kind]
        and layout.backend in ("pandas", "polars", "pyarrow", "modin", "cudf")
        and isinstance(layout.dates, bool)
        and (n == 1 or layout.kind != "series")
        and panel.ids.is_unique
        and all(_fits_beside(part, own, len(panel.values)) for part, own in beside)
    )


def _fits_beside(covariates: np.ndarray | None, names: tuple[str, ...], length: int) -> bool:
    if covariates is None:
        return not names
    shape = (length, len(names))
    texts = all(isinstance(name, str) for name in names)
    return bool(names) and texts and covariates.dtype == np.float64 and covariates.shape == shape


def _grid_to_state(grid: pd.Index) -> tuple[dict[str, Any], np.ndarray]:
    about: dict[str, Any]
    if isinstance(grid, pd.DatetimeIndex):
        about = {"kind": "datetime", "unit": grid.unit, "tz": _zone_name(grid)}
    else:
        about = {"kind": "period" if isinstance(grid, pd.PeriodIndex) else "integer"}
    freq = encode(getattr(grid, "freq", None), "the frequency")
    # periods spell their frequency as periods do ("M", not "ME")
    about["freq"] = freq if isinstance(freq, dict) else getattr(grid, "freqstr", None)
    about["name"] = encode(grid.name, "the time's name")
    return about, _numbers(grid)


def _zone_name(grid: pd.DatetimeIndex) -> str | None:
    if grid.tz is None:
        return None
    try:
        pd.DatetimeIndex([], tz=str(grid.tz))
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"the time zone {grid.tz!r} has no name to be saved under. Convert the times first, "
            "for example with tz_convert('Europe/Berlin')."
        ) from error
    return str(grid.tz)


def _grid_from_state(about: dict[str, Any], times: np.ndarray) -> pd.Index:
    kind, freq, name = about["kind"], decode(about["freq"]), decode(about["name"])
    grid: pd.Index
    if kind == "integer":
        step = int(times[1] - times[0]) if len(times) > 1 else 1
        grid = pd.RangeIndex(int(times[0]), int(times[0]) + len(times) * step, step, name=name)
    elif kind == "period":
        grid = pd.period_range(
            pd.Period(ordinal=times[0], freq=freq), periods=len(times), name=name
        )
    elif kind == "datetime":
        grid = pd.DatetimeIndex(times.view(f"M8[{about['unit']}]"), name=name)
        if about["tz"] is not None:
            # pandas would open the file that follows "dateutil/"
            zone = about["tz"].removeprefix("dateutil/")
            grid = grid.tz_localize("UTC").tz_convert(zone)
        grid = pd.DatetimeIndex(grid, freq=freq)
    else:
        raise ValueError(f"{short(kind)} is no kind of time")
    if not (grid.is_monotonic_increasing and np.array_equal(_numbers(grid), times)):
        raise ValueError("the times are not regular")
    return grid


def _numbers(grid: pd.Index) -> np.ndarray:
    return np.asarray(getattr(grid, "asi8", grid), dtype=np.int64)
