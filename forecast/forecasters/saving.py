"""Write a fitted forecaster to one file that holds numbers and names, never code.

The file is safetensors: arrays, and beside them one JSON text with the class, its parameters, how
to read the arrays, and a checksum of all of it. `loading` reads it.
"""

from __future__ import annotations

import hashlib
import json
from os import PathLike
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import save as to_bytes
from sklearn.utils.validation import check_is_fitted

from forecast.data.panel import Panel
from forecast.data.writing import replace_file
from forecast.forecasters.bounds import Bounds, observed
from forecast.forecasters.calibration import Calibration
from forecast.forecasters.encoding import encode
from forecast.forecasters.outliers import Outliers
from forecast.forecasters.panel_state import panel_to_state
from forecast.forecasters.reach import Reach
from forecast.forecasters.registry import CLASSES, forecaster_class

FORMAT_VERSION = 1
# What a file may hold at most, so that one which somebody forged is refused before it costs.
MOST_BYTES = 2 << 30
MOST_TEXT = 32 << 20  # bytes before the arrays: some two million ids


class Savable(Protocol):
    """What a file must know of a forecaster."""

    panel_: Panel
    season_length_: int
    horizon_: int
    unit_: str | None
    calibration_: Calibration | None
    outliers_: Outliers
    bounds_: Bounds
    reach_: Reach | None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the constructor."""

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what `fit` learned."""


def save(forecaster: Savable, path: str | PathLike[str]) -> None:
    """Write a fitted forecaster, its history included, to one file.

    An existing file is replaced as `replace_file` does it, so a failure leaves the old one.

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
        If a parameter, a name or an id can not be written as text, or if it is too large.
    OSError
        If the file cannot be written.
    """
    check_is_fitted(forecaster)
    own, learned = described(forecaster)
    history, panel_arrays = panel_to_state(forecaster.panel_)
    arrays = {f"panel/{name}": array for name, array in panel_arrays.items()}
    arrays |= {f"learned/{name}": np.asarray(array) for name, array in learned.items()}
    write(path, own | {"panel": history}, arrays)


def write(path: str | PathLike[str], about: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write what a file says, and its arrays, signed; an existing file is replaced at the end.

    Raises
    ------
    ValueError
        If it is too large.
    OSError
        If it cannot be written.
    """
    about = {"format_version": FORMAT_VERSION, **about}
    # The format stores memory as it lies: a transposed view would come back scrambled.
    arrays = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}
    text = json.dumps(about | {"sha256": checksum(about, arrays)})
    # One entry only: their order is random, and the same model should give the same bytes.
    content = to_bytes(arrays, metadata={"forecast": text})
    if len(content) > MOST_BYTES or text_length(content) > MOST_TEXT:
        raise ValueError(
            f"a model must have at most {MOST_BYTES >> 20:,} MiB, and {MOST_TEXT >> 20} MiB of "
            f"names, to be saved, got {len(content) >> 20:,} and {text_length(content) >> 20} MiB. "
            "Use joblib.dump(model, path), and load only what you trust."
        )
    replace_file(path, content)


def described(forecaster: Savable) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return what a file says of a fitted forecaster beside its history: JSON, arrays by name."""
    values, learned = forecaster._state()
    empty = ~observed(forecaster.panel_)
    about = named(forecaster) | {
        "season_length": forecaster.season_length_,
        "horizon": forecaster.horizon_,
        "unit": forecaster.unit_,
        "outliers": [part.tolist() for part in forecaster.outliers_],
        "calibration": forecaster.calibration_ and forecaster.calibration_.state(),
        # those of other series are read off the history
        "bounds_unobserved": [bool(part[empty].all()) for part in forecaster.bounds_],
        "reach": forecaster.reach_ and [part.tolist() for part in forecaster.reach_],
        "learned": encode(values, "a learned value"),
    }
    return about, learned


def named(estimator: Any) -> dict[str, Any]:
    """Return what a file says first of any estimator: its class and parameters.

    Raises
    ------
    ValueError
        If a parameter cannot be written as text, or the name of the class is taken.
    """
    name = type(estimator).__name__
    if name in CLASSES and forecaster_class(name) is not type(estimator):
        raise ValueError(
            f"the class {name} is not the one of this package, and would be read as that one. "
            "Rename your class."
        )
    params = {
        name: encode(value, f"parameter `{name}`")
        for name, value in estimator.get_params(deep=False).items()
    }
    return {"class": name, "params": params}


def text_length(content: bytes) -> int:
    """Return how many bytes come before the arrays of a file; its first 8 tell it."""
    return int.from_bytes(content[:8], "little")


def checksum(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of all that a file says: what `save` signs and `load` verifies."""
    total = hashlib.sha256(json.dumps(about).encode())
    for name, array in sorted(arrays.items()):
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(array.reshape(-1).view(np.uint8).data)
    return total.hexdigest()
