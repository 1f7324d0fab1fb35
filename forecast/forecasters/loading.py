"""Read a forecaster that `saving` wrote; nothing that the file says is run."""

from __future__ import annotations

import json
from inspect import isabstract
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from forecast._checks import positive_integer, short
from forecast.data.frames import restore
from forecast.data.panel import Panel
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.bounds import Bounds
from forecast.forecasters.calibration import Calibration
from forecast.forecasters.encoding import beneath, decode, unfitted
from forecast.forecasters.outliers import Outliers
from forecast.forecasters.panel_state import panel_from_state
from forecast.forecasters.reach import Reach
from forecast.forecasters.registry import CLASSES, forecaster_class
from forecast.forecasters.saving import (
    FORMAT_VERSION,
    MOST_BYTES,
    MOST_TEXT,
    checksum,
    text_length,
)

# What no saved model has more of, and what would take long to read, or to forecast.
MOST_ARRAYS, MOST_LISTS = 10_000, 2_000_000
MOST_STEPS = 100_000  # of a default horizon, or as many as the history has
MOST_TRIED = 1_000, 20_000  # steps, and values, that are forecast to see whether the model works
LARGEST = (
    1e200  # of what was learned, in units of the largest value; sums of a few are still finite
)


def load(path: str | PathLike[str]) -> Any:
    """Read a forecaster, or an estimator of sequences, that `save` wrote; it goes on as before.

    Parameters
    ----------
    path
        The file. A forecaster of a class of your own must have been imported before.

    Returns
    -------
    The fitted forecaster or estimator.

    Raises
    ------
    ValueError
        If the file is damaged, of a newer format, or names an unknown class.
    FileNotFoundError
        If there is none.

    Examples
    --------
    >>> import pandas as pd
    >>> from tempfile import TemporaryDirectory
    >>> from forecast import NaiveForecaster
    >>> with TemporaryDirectory() as folder:
    ...     NaiveForecaster("drift").fit(pd.Series([1.0, 3.0])).save(f"{folder}/a.model")
    ...     model = load(f"{folder}/a.model")
    >>> model.predict(2).tolist()
    [5.0, 7.0]
    """
    about, arrays = _read_file(Path(path))
    cls = find_class(about.get("class"))
    if cls is None:
        raise ValueError(
            f"{str(path)!r} holds a {short(about.get('class'))}, which is no known forecaster; "
            f"known are {', '.join(CLASSES)}. Import your own class before loading."
        )
    try:
        with np.errstate(all="ignore"):
            rebuild = _forecaster if issubclass(cls, BaseForecaster) else cls.rebuild
            return rebuild(about, arrays)
    except Exception as error:  # a file that somebody else wrote can go wrong in any way
        raise ValueError(
            f"{str(path)!r} is damaged: {short(error)}. Save the model again."
        ) from error


def _forecaster(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> BaseForecaster:
    """Return the forecaster, after it has forecast its horizon, or the first part of it."""
    panel = panel_from_state(about["panel"], beneath(arrays, "panel/"))
    forecaster = rebuilt(about, beneath(arrays, "learned/"), panel)
    restore(panel, _tried(forecaster))
    return forecaster


def rebuilt(about: dict[str, Any], learned: dict[str, np.ndarray], panel: Panel) -> BaseForecaster:
    """Return the forecaster that `saving.described` told of, with its history."""
    cls = find_class(about["class"])
    if cls is None:
        raise ValueError(f"{short(about['class'])} is no known forecaster")
    forecaster = unfitted(cls, about)
    if not (forecaster.starts_cold or np.isfinite(panel.values[panel.offsets[:-1]]).all()):
        raise ValueError("a series begins with a missing value")
    forecaster.panel_, forecaster.freq_ = panel, panel.freq
    forecaster.target_transform_ = None
    forecaster.outliers_ = Outliers.restore(about.get("outliers", [[], []]), panel)
    seen = forecaster.outliers_.hide(panel)
    bounds = Bounds.unknown(panel.n_series).after(seen, panel.lengths)
    others = Bounds(*(np.array([flag]) for flag in about.get("bounds_unobserved", (True, True))))
    forecaster.bounds_ = bounds.or_of(others, panel)
    forecaster.calibration_ = Calibration.from_state(about.get("calibration"), panel.n_series)
    forecaster.unit_ = None if about.get("unit") is None else str(about["unit"])
    forecaster.season_length_ = positive_integer("season_length", about["season_length"])
    forecaster.horizon_ = horizon_in(about, len(panel.grid))
    forecaster.reach_ = Reach.restore(about.get("reach"), panel.X)
    if panel.X is not None:
        forecaster.n_features_in_ = panel.X.shape[1]
    _check_sizes(learned, panel)
    forecaster._restore(seen, decode(about["learned"]), learned)
    return forecaster


def horizon_in(about: dict[str, Any], longest: int) -> int:
    """Return the default horizon that a file names, where a history has so many steps.

    Raises
    ------
    TypeError, ValueError
        If it is none that anybody forecasts.
    """
    horizon = positive_integer("horizon", about["horizon"])
    if horizon > max(MOST_STEPS, longest):
        raise ValueError(f"a horizon of {horizon} steps is none that anybody forecasts")
    return horizon


def _check_sizes(learned: dict[str, np.ndarray], panel: Panel) -> None:
    """Refuse numbers that no fit finds, and that overflow a few steps ahead."""
    with np.errstate(all="ignore"):
        limit = LARGEST * max(
            1.0, float(np.abs(np.nan_to_num(panel.values.astype(np.float64))).max())
        )
    for name, array in learned.items():
        if array.dtype.kind != "f" or not array.size:
            continue
        # as a double: the limit is infinite in the type of single numbers
        if float(np.fmax.reduce(np.abs(array), axis=None)) > limit:
            raise ValueError(f"{name!r} has numbers that no history leads to")


def _tried(forecaster: BaseForecaster) -> np.ndarray:
    """Return the forecast of the horizon (n, H), or of what can be had quickly of it."""
    panel = forecaster.panel_
    n, (steps, values) = panel.n_series, MOST_TRIED
    steps = max(min(forecaster.horizon_, steps, values // n), 1)
    known = None if panel.X is None else np.zeros((n, steps, panel.X.shape[1]))
    forecast = forecaster._predict(steps, known)
    paths = forecaster._sample(steps, 1, known, np.random.default_rng(0))
    fits = forecast.shape == (n, steps) and paths.shape == (n, 1, steps)
    if not (fits and np.isfinite(forecast).all() and np.isfinite(paths).all()):
        raise ValueError("what was learned gives no forecast of this history")
    return forecast


def _check_cost(path: Path) -> None:
    """Refuse a file that would take long, or much memory, to find out that it is none."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = text_length(file.read(8))
        header = file.read(min(length, MOST_TEXT + 1))
    costs = {
        "bytes": (size, MOST_BYTES),
        "bytes of text": (length, MOST_TEXT),
        "arrays": (header.count(b'"data_offsets"'), MOST_ARRAYS),
        "lists": (header.count(b"[") + header.count(b"{"), MOST_LISTS),
    }
    for what, (count, most) in costs.items():
        if count > most:
            raise ValueError(f"{count:,} {what}, where {most:,} are the most")


def _read_file(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no saved forecaster at {str(path)!r}.")
    try:
        _check_cost(path)
        with safe_open(path, framework="np") as file:
            about = json.loads((file.metadata() or {})["forecast"])
            version = positive_integer("format_version", about["format_version"])
            readable = version <= FORMAT_VERSION
            names = file.keys() if readable else []
            arrays = {name: file.get_tensor(name) for name in names}
            signed = about.pop("sha256") if readable else None
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
    if signed != checksum(about, arrays):
        raise ValueError(
            f"{str(path)!r} is damaged: it is not what was written. Save the model again, or take "
            "another copy."
        )
    return about, arrays


def find_class(name: Any) -> type[Any] | None:
    """Return the class of a name: this package's, else the one defined last, else None."""
    if not isinstance(name, str):
        return None
    if name in CLASSES:
        return forecaster_class(name)
    candidates = list(BaseForecaster.__subclasses__())
    for cls in candidates:  # grows on the way
        candidates += cls.__subclasses__()
    named = [cls for cls in candidates if cls.__name__ == name and not isabstract(cls)]
    return named[-1] if named else None
