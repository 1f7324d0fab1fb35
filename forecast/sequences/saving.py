"""A fitted sequence estimator as a file that holds numbers and names, never code.

The file is that of forecasters: `forecast.forecasters.saving` says how it is written.
"""

from __future__ import annotations

from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted

from forecast._checks import positive_integer
from forecast.forecasters.encoding import decode, encode, unfitted
from forecast.forecasters.neural import persistence
from forecast.forecasters.neural.building import device_here
from forecast.forecasters.saving import named, write
from forecast.networks.base import State, state_map
from forecast.sequences import learning
from forecast.sequences.model import Reader, SequenceModel
from forecast.sequences.reading import Array, read_array


class Live(NamedTuple):
    """The units that `update` follows, and the state of each."""

    units: pd.Index
    state: State


def save(estimator: Any, path: str | PathLike[str]) -> None:
    """Write a fitted estimator, the units it follows included, to one file.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    ValueError
        If a parameter, a class or an id cannot be written as text.
    OSError
        If the file cannot be written.
    """
    check_is_fitted(estimator)
    live = estimator.live_
    values = {
        "n_inputs": estimator.n_inputs_,
        "n_features": estimator.n_features_in_,
        "names": listed(getattr(estimator, "feature_names_in_", None)),
        "masked": estimator.model_.reader.masked,
        "classes": listed(getattr(estimator, "classes_", None)),
        "units": None if live is None else live.units.tolist(),
    }
    tensors = {f"model.{name}": part for name, part in estimator.model_.state_dict().items()}
    if live is not None:
        tensors |= persistence.named("live", live.state)
    arrays = persistence.saved(tensors, estimator.history_)
    write(path, named(estimator) | {"learned": encode(values, "a learned value")}, arrays)


def rebuild(cls: type[Any], about: dict[str, Any], arrays: dict[str, Array]) -> Any:
    """Return the estimator of a file, after it has answered for a sequence.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the parts of the file do not fit together.
    """
    estimator = unfitted(cls, about)
    estimator._check_parameters()
    values = decode(about["learned"])
    estimator.n_inputs_ = positive_integer("n_inputs", values["n_inputs"])
    estimator.n_features_in_ = positive_integer("n_features", values["n_features"])
    if values["names"] is not None:
        estimator.feature_names_in_ = unlisted(values["names"])
    if values["classes"] is not None:
        estimator.classes_ = unlisted(values["classes"])
    estimator.model_ = _model(estimator, bool(values["masked"]), arrays)
    estimator.live_ = _live(estimator, values["units"], arrays)
    estimator.history_ = persistence.epochs(arrays)
    answers = estimator._answers_of(read_array(np.zeros((1, 3, estimator.n_inputs_))))
    if not np.isfinite(answers).all():
        raise ValueError("what was learned gives no answer")
    return estimator


def _model(estimator: Any, masked: bool, arrays: dict[str, Array]) -> SequenceModel:
    """Return the model; its sizes are held against the arrays before memory is taken for them."""
    if estimator.num_layers * estimator.n_estimators > len(arrays):
        raise ValueError("the weights of some layers are missing")
    own = {name.removeprefix("model."): a for name, a in arrays.items() if "model." in name}

    def build() -> SequenceModel:
        scale = (torch.empty(estimator.n_inputs_, dtype=torch.float64) for _ in range(2))
        return learning.build(estimator, Reader(*scale, masked=masked), estimator._head()).double()

    with torch.device("meta"):
        weights = persistence.fitting(build().state_dict(), own)
    return persistence.with_weights(build, weights).to(device_here(estimator.device))


def _live(estimator: Any, units: list[Any] | None, arrays: dict[str, Array]) -> Live | None:
    if units is None:
        return None
    one = estimator.model_.network.initial_state(1)
    like = state_map(lambda part: part.expand(len(units), *part.shape[1:]), one)
    state = persistence.restored("live", like, arrays)
    return Live(pd.Index(units), state_map(lambda part, own: part.to(own.device), state, like))


def listed(values: Array | None) -> dict[str, Any] | None:
    """Return what a file says of an array of names or numbers.

    Examples
    --------
    >>> listed(np.array([2, 3]))
    {'dtype': 'int64', 'values': [2, 3]}
    """
    return None if values is None else {"dtype": str(values.dtype), "values": values.tolist()}


def unlisted(saved: dict[str, Any]) -> Array:
    """Return the array that `listed` described.

    Examples
    --------
    >>> unlisted(listed(np.array(["no", "yes"], dtype=object)))
    array(['no', 'yes'], dtype=object)
    """
    # a width of text is not taken from the file, which could claim any
    dtype = None if saved["dtype"].startswith("<U") else np.dtype(saved["dtype"])
    if dtype is not None and dtype.kind not in "biufO":
        raise ValueError(f"{saved['dtype']!r} is no type of classes or names")
    return np.array(saved["values"], dtype=dtype)
