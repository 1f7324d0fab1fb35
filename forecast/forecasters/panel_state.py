"""The history of a forecaster as a file holds it: names in JSON, and arrays."""

from __future__ import annotations

import dataclasses
import re
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from forecast._checks import short
from forecast.data.panel import Layout, Panel
from forecast.forecasters.encoding import decode, encode


def panel_to_state(panel: Panel) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return what JSON holds of a history, and its arrays by name.

    Raises
    ------
    ValueError
        If an id, a name or a time zone cannot be written as text.
    """
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
    covariates = {"X": panel.X, "past": panel.past}
    arrays |= {name: part for name, part in covariates.items() if part is not None}
    return about, arrays | {"times": times}


def panel_from_state(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> Panel:
    """Return the history that `panel_to_state` took apart.

    Raises
    ------
    ValueError
        If the parts do not fit together.

    Examples
    --------
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames(pd.Series([1.0, 2.0, 3.0]))
    >>> panel_from_state(*panel_to_state(panel)).values
    array([1., 2., 3.])
    """
    ids = [decode(name) for name in about["ids"]]
    panel = Panel(
        values=arrays["values"],
        offsets=arrays["offsets"],
        starts=arrays["starts"],
        grid=_grid_from_state(about["grid"], arrays["times"]),
        ids=pd.Index(
            ids, dtype=about["id_dtype"], name=decode(about["id_name"]), tupleize_cols=False
        ),
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
        and not np.isinf(values).any()
    )


def _fits_layout(panel: Panel) -> bool:
    """Tell whether names and covariates are those of a history."""
    layout, n = panel.layout, panel.n_series
    covariates = [(panel.X, panel.X_names), (panel.past, panel.past_names)]
    names = {"series": 1, "list": n, "wide": 1, "long": 0, "multi": 0}
    return (
        len(layout.names) == names[layout.kind]
        and layout.backend in ("pandas", "polars", "pyarrow", "modin", "cudf")
        and isinstance(layout.dates, bool)
        and (n == 1 or layout.kind != "series")
        and panel.ids.is_unique
        and all(_fits_covariates(part, own, len(panel.values)) for part, own in covariates)
    )


def _fits_covariates(covariates: np.ndarray | None, names: tuple[str, ...], length: int) -> bool:
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
        pd.DatetimeIndex([], tz=_known_zone(str(grid.tz)))
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"the time zone {grid.tz!r} has no name to be saved under. Convert the times first, "
            "for example with tz_convert('Europe/Berlin')."
        ) from error
    return str(grid.tz)


def _known_zone(name: str) -> str:
    """Return the name of a time zone, if the system knows it: pandas would open some as files.

    Raises
    ------
    KeyError, ValueError, OSError
        If it is none.
    """
    if name != "UTC" and not re.fullmatch(r"UTC[+-]\d\d:\d\d", name):
        ZoneInfo(name)  # which looks into its own folder only
    return name


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
            grid = grid.tz_localize("UTC").tz_convert(_known_zone(about["tz"]))
        grid = pd.DatetimeIndex(grid, freq=freq)
    else:
        raise ValueError(f"{short(kind)} is no kind of time")
    if not (grid.is_monotonic_increasing and np.array_equal(_numbers(grid), times)):
        raise ValueError("the times are not regular")
    return grid


def _numbers(grid: pd.Index) -> np.ndarray:
    return np.asarray(getattr(grid, "asi8", grid), dtype=np.int64)
