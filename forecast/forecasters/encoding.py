"""Values as JSON, for a file that holds no code: what JSON lacks is written as {"kind": ...}."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from forecast._checks import short
from forecast.data.opening import OpeningHours
from forecast.forecasters.registry import HOMES, forecaster_class

# Frequencies whose alias does not tell which days are free.
_CALENDARS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        pd.offsets.CustomBusinessDay,
        pd.offsets.CustomBusinessHour,
        pd.offsets.CustomBusinessMonthBegin,
        pd.offsets.CustomBusinessMonthEnd,
    )
}


def encode(value: Any, what: str) -> Any:
    """Return a value as JSON can hold it.

    Raises
    ------
    ValueError
        If it is more than numbers and text; the message begins with `what`.

    Examples
    --------
    >>> encode((1, pd.Timestamp("2024-01-31")), "a pair")
    {'tuple': [1, {'timestamp': '2024-01-31T00:00:00'}]}
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return encode(value.item(), what)
    if isinstance(value, pd.offsets.BaseOffset):
        return _encode_offset(value, what)
    if isinstance(value, pd.Timestamp):
        return {"timestamp": value.isoformat()}
    if isinstance(value, pd.Interval):
        return {"interval": encode([value.left, value.right, value.closed], what)}
    if isinstance(value, list):
        return [encode(entry, what) for entry in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(entry, what) for entry in value]}
    if isinstance(value, pd.DataFrame):
        index, columns = list(value.index), {str(k): list(part) for k, part in value.items()}
        named = {"index": index, "name": value.index.name, "columns": columns}
        return {"frame": encode(named, what)}
    if (name := type(value).__name__) in HOMES and forecaster_class(name) is type(value):
        return {"forecaster": name, "params": encode(value.get_params(deep=False), what)}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(entry, what) for key, entry in value.items()}}
    if isinstance(value, dict):  # JSON has text for keys
        return {"items": [[encode(key, what), encode(one, what)] for key, one in value.items()]}
    raise ValueError(
        f"{what} must be numbers and text to be saved to a file that holds no code, got "
        f"{short(value)}. Use joblib.dump(model, path), and load only what you trust."
    )


def decode(value: Any) -> Any:
    """Return the value that `encode` wrote.

    Examples
    --------
    >>> decode({"tuple": [1, 2]})
    (1, 2)
    """
    if isinstance(value, list):
        return [decode(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(decode(value["tuple"]))
    if "timestamp" in value:
        return pd.Timestamp(value["timestamp"])
    if "interval" in value:
        left, right, closed = decode(value["interval"])
        return pd.Interval(left, right, closed)
    if "months" in value:
        return pd.DateOffset(months=value["months"], day=value["day"])
    if "opening" in value:
        return OpeningHours(**value["opening"])
    if "calendar" in value:
        hours = {name: value[name] for name in ("start", "end") if name in value}
        return _CALENDARS[value["calendar"]](
            value["n"], weekmask=value["weekmask"], holidays=value["holidays"], **hours
        )
    if "items" in value:
        return dict(decode(value["items"]))
    if "forecaster" in value:
        return forecaster_class(value["forecaster"])(**decode(value["params"]))
    if "frame" in value:
        named = decode(value["frame"])
        return pd.DataFrame(named["columns"], pd.Index(named["index"], name=named["name"]))
    return {key: decode(entry) for key, entry in value["dict"].items()}


def unfitted(cls: type[Any], about: dict[str, Any]) -> Any:
    """Return an estimator of a class with the parameters that a file tells of."""
    return cls(**{name: decode(value) for name, value in about["params"].items()})


def beneath(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Return the arrays whose names begin with a prefix, without it.

    Examples
    --------
    >>> beneath({"panel/values": np.zeros(1), "learned/level": np.ones(1)}, "learned/")
    {'level': array([1.])}
    """
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def _encode_offset(offset: Any, what: str) -> Any:
    """Return the alias of a frequency, or, where that is not all of it, its free days."""
    kind, told = type(offset).__name__, offset.freqstr
    if type(offset) is pd.DateOffset and set(offset.kwds) == {"months", "day"} and offset.n == 1:
        return dict(offset.kwds)
    if isinstance(offset, OpeningHours):
        hours = {name: list(entry) if isinstance(entry, tuple) else entry
                 for name, entry in offset.kwds.items()}  # fmt: skip
        return {"opening": {"n": offset.n, **hours}}
    if kind in _CALENDARS:
        days = [str(day) for day in offset.holidays]
        told = {"calendar": kind, "n": offset.n, "weekmask": offset.weekmask, "holidays": days}
        if kind == "CustomBusinessHour":
            told |= {
                name: [f"{clock:%H:%M}" for clock in getattr(offset, name)]
                for name in ("start", "end")
            }
    try:
        same = (decode(told) if kind in _CALENDARS else to_offset(told)) == offset
    except (TypeError, ValueError):
        same = False
    if not same:
        raise ValueError(
            f"{what} must be one that an alias tells all of to be saved, or business days with "
            f"holidays, got {short(offset)}. Use freq='B', or joblib.dump(model, path)."
        )
    return told
