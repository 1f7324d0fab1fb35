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
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.encoding import decode
from forecast.forecasters.registry import HOMES, forecaster_class
from forecast.forecasters.saving import (
    FORMAT_VERSION,
    MOST_BYTES,
    MOST_TEXT,
    checksum,
    text_length,
)
from forecast.forecasters.symbols.base import BaseSymbolForecaster

# What no saved model has more of, and what would take long to read.
MOST_ARRAYS, MOST_LISTS = 10_000, 2_000_000
_PARENTS: tuple[type[Any], ...] = (BaseForecaster, BaseSymbolForecaster)


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
    cls = find_class(about.get("class"))
    if cls is None:
        raise ValueError(
            f"{str(path)!r} holds a {short(about.get('class'))}, which is no known forecaster; "
            f"known are {', '.join(HOMES)}. Import your own class before loading."
        )
    try:
        with np.errstate(all="ignore"):
            forecaster = cls(**{name: decode(value) for name, value in about["params"].items()})
            forecaster._rebuild(about, arrays)
            return forecaster
    except Exception as error:  # a file that somebody else wrote can go wrong in any way
        raise ValueError(
            f"{str(path)!r} is damaged: {short(error)}. Save the model again."
        ) from error


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
    """Return the forecaster of a name: this package's, else the one defined last, else None."""
    if not isinstance(name, str):
        return None
    if name in HOMES:
        return forecaster_class(name)
    candidates = [cls for parent in _PARENTS for cls in parent.__subclasses__()]
    for cls in candidates:  # grows on the way
        candidates += cls.__subclasses__()
    named = [cls for cls in candidates if cls.__name__ == name and not isabstract(cls)]
    return named[-1] if named else None
