"""Sequences of any form as one flat array, and answers in the form in which they came."""

from __future__ import annotations

import abc
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import assert_all_finite, check_array, column_or_1d

from forecast._checks import short
from forecast.data.backends import foreign, pandas_table, to_pandas
from forecast.data.reading import numbers

Array = npt.NDArray[Any]


class Form(abc.ABC):
    """What the sequences came in, which says how labels are given and answers returned.

    Answers are arrays with a row per unit, (n, ...), or per step, (N, ...), unit after unit.
    """

    units: pd.Index  # the names of the units

    def unit_labels(self, y: Any) -> Array:
        """Return the labels (n,) of whole units."""
        if getattr(y, "ndim", 1) == 2 and y.shape[1] > 1:
            raise ValueError(
                f"`y` must have one label for each unit, got {short(y)}. For labels at every step "
                "set each_step=True."
            )
        labels = column_or_1d(_listed(y), warn=True)
        if len(labels) != len(self.units):
            raise ValueError(
                f"`y` must have one label for each of the {len(self.units)} units, got "
                f"{len(labels)}. For labels at every step set each_step=True."
            )
        missing = np.flatnonzero(pd.isna(labels))
        if missing.size:
            raise ValueError(
                f"`y` must have a label for every unit, got none for {self.units[missing[0]]!r}. "
                "Leave such units out."
            )
        assert_all_finite(labels, input_name="y")
        return labels

    @abc.abstractmethod
    def step_labels(self, y: Any) -> Array:
        """Return the labels (N,) of all steps."""

    def of_units(self, answers: Array, names: Any) -> Any:
        """Return answers (n,), or (n, K) in columns of these names."""
        return answers

    @abc.abstractmethod
    def of_steps(self, answers: Array, names: Any) -> Any:
        """Return answers (N,), or (N, K) in columns of these names."""


@dataclass(frozen=True, eq=False)
class Stacked(Form):
    """An array: n units of T steps each."""

    shape: tuple[int, int]

    @property
    def units(self) -> pd.Index:  # type: ignore[override]
        """Their places."""
        return pd.RangeIndex(self.shape[0])

    def step_labels(self, y: Any) -> Array:
        """Return the labels (N,) of `y` (n, T)."""
        labels = np.asarray(_listed(y))
        if labels.shape != self.shape:
            raise ValueError(
                f"`y` must have a label for every step, shape {self.shape}, got {labels.shape}. "
                "For one label per unit set each_step=False."
            )
        return labels.ravel()

    def of_steps(self, answers: Array, names: Any) -> Array:
        """Return answers (n, T) or (n, T, K)."""
        return answers.reshape(*self.shape, *answers.shape[1:])


@dataclass(frozen=True, eq=False)
class Listed(Form):
    """A list of arrays, each of its own length."""

    lengths: Array

    @property
    def units(self) -> pd.Index:  # type: ignore[override]
        """Their places."""
        return pd.RangeIndex(len(self.lengths))

    def step_labels(self, y: Any) -> Array:
        """Return the labels (N,) of a list of arrays (T,)."""
        parts = [np.asarray(_listed(one)) for one in y]
        given = [part.shape for part in parts]
        wrong = [i for i, T in enumerate(self.lengths) if i >= len(given) or given[i] != (T,)]
        if wrong or len(parts) != len(self.lengths):
            place = wrong[0] if wrong else len(self.lengths)
            raise ValueError(
                "`y` must be a list with a label for every step of each unit; unit "
                f"{place} does not fit. For one label per unit set each_step=False."
            )
        kinds = {part.dtype.kind for part in parts}
        return np.concatenate(parts, dtype=object if kinds > {"U"} else None)

    def of_steps(self, answers: Array, names: Any) -> list[Array]:
        """Return a list of answers (T,) or (T, K)."""
        return np.split(answers, np.cumsum(self.lengths)[:-1])


@dataclass(frozen=True, eq=False)
class Long(Form):
    """A long frame: `order` has the rows in the order of units and times."""

    units: pd.Index
    order: Array
    index: pd.Index

    def unit_labels(self, y: Any) -> Array:
        """Return the labels (n,) of a Series that is indexed by the units."""
        if not isinstance(y, pd.Series):
            raise TypeError(
                "`y` must be a Series indexed by the ids of the units, as X is a long frame, got "
                f"{short(y)}. For labels at every step set each_step=True."
            )
        lacking = self.units.difference(y.index)
        if len(lacking) or y.index.has_duplicates:
            what = f"none for {lacking[0]!r}" if len(lacking) else "several for one"
            raise ValueError(
                f"`y` must have one label for every unit, by its id in the index, got {what}."
            )
        return super().unit_labels(y[self.units].to_numpy())

    def step_labels(self, y: Any) -> Array:
        """Return the labels (N,) of a column beside the frame."""
        labels = column_or_1d(_listed(y), warn=True)
        matches = not isinstance(y, pd.Series) or y.index.equals(self.index)
        if len(labels) != len(self.index) or not matches:
            raise ValueError(
                f"`y` must have a label for each of the {len(self.index)} rows of X, in their "
                f"order and with their index, got {len(labels)}."
            )
        return labels[self.order]

    def of_units(self, answers: Array, names: Any) -> Any:
        """Return a Series, or a frame, indexed by the units."""
        return _labelled(answers, self.units, names)

    def of_steps(self, answers: Array, names: Any) -> Any:
        """Return a Series, or a frame, with the index of the long frame."""
        rows = np.empty_like(answers)
        rows[self.order] = answers
        return _labelled(rows, self.index, names)


def _listed(y: Any) -> Any:
    """Return a list as an array; what is no word among words stays so, as numpy would not."""
    labels = y if hasattr(y, "shape") else np.asarray(y)
    if labels is y or labels.dtype.kind != "U":
        return labels
    given = np.asarray(y, dtype=object)
    return labels if all(isinstance(one, str) for one in given.flat) else given


def _labelled(answers: Array, index: pd.Index, names: Any) -> Any:
    if answers.ndim == 1:
        return pd.Series(answers, index)
    return pd.DataFrame(answers, index, pd.Index(names))


@dataclass(frozen=True, eq=False)
class Sequences:
    """Hold n units one after the other.

    Parameters
    ----------
    values
        (N, F), float64; NaN is unobserved.
    lengths
        Steps of each unit, (n,), at least one.
    form
        What they came in.
    names
        The columns of a long frame, or of frames in a list.
    """

    values: Array
    lengths: Array
    form: Form
    names: tuple[Hashable, ...] | None = None

    @property
    def ends(self) -> Array:
        """Where the last step of each unit is, (n,)."""
        return np.cumsum(self.lengths) - 1


def is_table(X: Any) -> bool:
    """Tell whether an array has units for rows and steps of one feature for columns.

    Examples
    --------
    >>> is_table([[1.0, 2.0]]), is_table(np.zeros((2, 3, 4)))
    (True, False)
    """
    axes: int = X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
    return axes < 3


def read_frame(
    X: Any, id_col: str, time_col: str, columns: Array | None = None
) -> Sequences | None:
    """Return the sequences of a long frame, of certain columns or of all; None if `X` is none.

    Raises
    ------
    TypeError
        If a column holds no numbers.
    ValueError
        If a unit has a time twice, or a key is missing.

    Examples
    --------
    >>> X = pd.DataFrame({"unique_id": ["b", "a", "a"], "ds": [1, 2, 1], "y": [5.0, 7.0, 6.0]})
    >>> sequences = read_frame(X, "unique_id", "ds")
    >>> sequences.values.ravel().tolist(), sequences.lengths.tolist()
    ([6.0, 7.0, 5.0], [2, 1])
    """
    frame = pandas_table(X, id_col, time_col)
    if not (isinstance(frame, pd.DataFrame) and {id_col, time_col} <= set(frame.columns)):
        return None
    keys = frame[[id_col, time_col]].reset_index(drop=True)
    found = tuple(name for name in frame.columns if name not in (id_col, time_col))
    names = _ordered(found, found if columns is None else columns)
    if not (names and len(frame)):
        raise ValueError(f"`X` must have rows, and features beside the keys, got {short(X)}.")
    bad = keys.isna().any(axis=1) | keys.duplicated()
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"`X` must have one row per unit and time, got row {row} with "
            f"{id_col}={short(keys[id_col][row])}, {time_col}={short(keys[time_col][row])} missing "
            "or again. Aggregate or drop such rows."
        )
    keys = keys.sort_values([id_col, time_col])
    lengths = keys.groupby(id_col, observed=True).size()
    order = keys.index.to_numpy()
    values = numbers(frame[list(names)], "column {0!r} of `X`").astype(np.float64)[order]
    form = Long(lengths.index, order, frame.index)
    return Sequences(_finite(values), lengths.to_numpy(), form, names)


def _ordered(names: Collection[Hashable], columns: Collection[Hashable]) -> tuple[Hashable, ...]:
    """Return the columns that are meant, which names must be, in whatever order."""
    if len({*names}) < len(names):
        raise ValueError(f"`X` must have columns of different names, got {[*names]}.")
    if {*names} != {*columns}:
        raise ValueError(
            f"`X` must have the same features in `fit` and in each unit, {[*columns]}: missing "
            f"{[name for name in columns if name not in names]}, unknown "
            f"{[name for name in names if name not in columns]}."
        )
    return tuple(columns)


def read_list(X: Any, columns: Array | None = None) -> Sequences | None:
    """Return the sequences of a list of arrays, (T,) or (T, F) each; None if `X` is none.

    Lists of numbers, all equally long, are a table. Frames, a row per step, have certain columns
    or those of the first, in any order.

    Examples
    --------
    >>> read_list([[1.0, 2.0], [3.0]]).values.ravel().tolist()
    [1.0, 2.0, 3.0]
    >>> read_list([[1.0, 2.0], [3.0, 4.0]]) is None
    True
    """
    if not (isinstance(X, list | tuple) and X):
        return None
    X = [_in_pandas(one) for one in X]
    if not _are_sequences(X):
        return None
    frames = [one for one in X if isinstance(one, pd.DataFrame)]
    names = tuple(frames[0] if columns is None else columns) if frames else None
    parts = [_steps(i, one, names) for i, one in enumerate(X)]
    for i, part in enumerate(parts):
        if part.ndim != 2 or not len(part) or part.shape[1] != parts[0].shape[1]:
            raise ValueError(
                "`X` must hold arrays of shape (steps, features) with at least one step and the "
                f"features of the first, {parts[0].shape[-1]}; unit {i} has shape {part.shape}."
            )
    lengths = np.array([len(part) for part in parts])
    return Sequences(_finite(np.concatenate(parts)), lengths, Listed(lengths), names)


def _in_pandas(unit: Any) -> Any:
    """Return a frame of another library as one of pandas, anything else unchanged."""
    frame = None if np.isscalar(unit) else foreign(unit)
    return unit if frame is None else to_pandas(frame, frame.columns)


def _steps(place: int, unit: Any, names: Any) -> Array:
    """Return a unit as numbers (T, F); a frame has columns of these names."""
    if isinstance(unit, pd.DataFrame):
        unit = unit[[*_ordered(tuple(unit), names)]]
    try:
        part = np.asarray(unit, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`X` must hold arrays of numbers, got {short(unit)} for unit {place}."
        ) from error
    return part[:, None] if part.ndim == 1 else part


def _are_sequences(X: Sequence[Any]) -> bool:
    if any(np.ndim(one) == 0 if np.isscalar(one) else not hasattr(one, "__len__") for one in X):
        return False
    arrays = any(isinstance(one, np.ndarray | pd.Series | pd.DataFrame) for one in X)
    return arrays or len({len(one) for one in X}) > 1


def read_array(X: Any) -> Sequences:
    """Return the sequences of an array (n, T) of one feature, or (n, T, F).

    Examples
    --------
    >>> read_array(np.zeros((2, 3, 4))).values.shape
    (6, 4)
    """
    values = check_array(X, dtype=np.float64, allow_nd=True, ensure_all_finite=False)
    if values.ndim > 3 or not values.shape[-1]:
        raise ValueError(f"`X` must have shape (n, T) or (n, T, F), got {values.shape}.")
    n, T = values.shape[:2]
    F = values.shape[2] if values.ndim == 3 else 1
    return Sequences(_finite(values.reshape(n * T, F)), np.full(n, T), Stacked((n, T)))


def _finite(values: Array) -> Array:
    if np.isinf(values).any():
        place = np.argwhere(np.isinf(values))[0]
        raise ValueError(
            f"`X` must be finite, NaN where unobserved; feature {place[1]} has an infinity. "
            "Replace it by NaN."
        )
    return values
