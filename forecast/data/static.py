"""Static features: what is true of a series at all times, as numbers that a network reads."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast._checks import short
from forecast.data import backends
from forecast.data.cells import is_numeric
from forecast.data.keys import flat_index
from forecast.data.placing import LARGEST, limit
from forecast.data.reading import numbers
from forecast.data.spreads import spread_or_one


@dataclass(frozen=True, eq=False)
class StaticReader:
    """Read a frame with a row per series as standardised reals and codes of categories.

    `fit` makes one from the series of a history; `read` then reads these and any others.

    Parameters
    ----------
    means, spreads
        Of each real column its mean and standard deviation over the series.
    categories
        Of each category column its values in rising order, as text.
    id_col
        The column that names the series; a frame without it names them in its index.
    """

    means: Mapping[str, float]
    spreads: Mapping[str, float]
    categories: Mapping[str, tuple[str, ...]]
    id_col: Hashable = "unique_id"

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of codes of each category column: its values, and 0 for any other."""
        return tuple(len(values) + 1 for values in self.categories.values())

    @classmethod
    def fit(cls, frame: Any, ids: pd.Index, id_col: Hashable = "unique_id") -> Self:
        """Learn the scales and the categories of the series of a history.

        Parameters
        ----------
        frame
            A row per series, named by its index or by the column `id_col`. Columns of numbers and
            booleans are real; those of text are categories, as are pandas' own. Rows of other
            series are not looked at. Frames of polars or pyarrow need the column.
        ids
            The series, (n,).
        id_col
            The column that names the series.

        Raises
        ------
        TypeError
            If `frame` is no frame, or a column is neither real nor of categories.
        ValueError
            If a series has no row, or two; if a number is infinite; if there is no column.

        Examples
        --------
        >>> frame = pd.DataFrame({"size": [1.0, 3.0], "town": ["Ulm", "Bonn"]}, index=["a", "b"])
        >>> reader = StaticReader.fit(frame, pd.Index(["a", "b"]))
        >>> reader.categories, reader.sizes
        ({'town': ('Bonn', 'Ulm')}, (3,))
        >>> real, codes = reader.read(frame.assign(town="Köln"), pd.Index(["b", "new"]))
        >>> real.tolist(), codes.tolist()
        ([[1.0], [0.0]], [[0], [0]])
        """
        table = _keyed(frame, id_col)
        rows = table.index.get_indexer(ids)
        absent = ids[rows < 0]
        if len(absent):
            raise ValueError(
                f"`static` must have a row for every series: {len(absent)} missing, the first "
                f"{short(absent[:5].tolist())}. Name the series in its index or in a column "
                f"{short(id_col)}."
            )
        if not table.shape[1]:
            raise ValueError("`static` must have at least one column besides the ids, got none.")
        own = table.iloc[rows]
        means, spreads, categories = {}, {}, {}
        for name in own.columns:
            if _is_category(own[name]):
                present = own[name].dropna().astype(str)
                categories[str(name)] = tuple(sorted(present.unique()))
            else:
                means[str(name)], spreads[str(name)] = _scale(_reals(own[name], str(name)))
        return cls(means, spreads, categories, id_col)

    def read(self, frame: Any, ids: pd.Index) -> tuple[np.ndarray, np.ndarray]:
        """Return the features of series, which need not be those of `fit`.

        Parameters
        ----------
        frame
            A frame with the columns that `fit` saw.
        ids
            The series, (n,). One without a row is unknown: all its reals and codes are 0.

        Returns
        -------
        real, codes
            float32 (n, S) in standard deviations from the mean, 0 where missing; int64 (n, C):
            1, 2, ... for the values that `fit` saw, 0 for any other and where missing.
        """
        table = _keyed(frame, self.id_col)
        self._check_columns(table)
        rows = table.index.get_indexer(ids)
        found = rows >= 0
        own = table.iloc[rows[found]]
        real = np.zeros((len(ids), len(self.means)), dtype=np.float32)
        for k, (name, mean) in enumerate(self.means.items()):
            scaled = (_reals(own[name], name) - mean) / self.spreads[name]
            real[found, k] = np.nan_to_num(scaled)
        codes = np.zeros((len(ids), len(self.categories)), dtype=np.int64)
        for k, (name, values) in enumerate(self.categories.items()):
            text = pd.Index(own[name].astype(object).map(str, na_action="ignore"))
            codes[found, k] = pd.Index(values, dtype=object).get_indexer(text) + 1
        return real, codes

    def state(self) -> dict[str, Any]:
        """Return the reader as values that JSON can hold, for `StaticReader(**state)`."""
        return {
            "means": dict(self.means),
            "spreads": dict(self.spreads),
            "categories": dict(self.categories),
            "id_col": self.id_col,
        }

    def _check_columns(self, table: pd.DataFrame) -> None:
        wanted = [*self.means, *self.categories]
        names = list(table.columns)
        if sorted(names) != sorted(wanted):
            raise ValueError(
                f"`static` must have the columns of `fit`, {wanted}: missing "
                f"{[name for name in wanted if name not in names]}, unknown "
                f"{[name for name in names if name not in wanted]}."
            )


def _keyed(frame: Any, id_col: Hashable) -> pd.DataFrame:
    """Return a frame whose index is the series, each once, and whose columns have names."""
    columns = [*id_col] if isinstance(id_col, list | tuple) else [id_col]
    other = backends.foreign(frame)
    if other is not None:
        frame = backends.to_pandas(other, other.columns)
        named = [name for name in columns if name in frame]
        frame = frame.astype({name: object for name in named if frame[name].dtype == "category"})
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"`static` must be a DataFrame with a row per series, got {short(frame)}.")
    table = frame.set_index(columns) if set(columns) <= set(frame.columns) else frame
    if isinstance(table.index, pd.MultiIndex):
        ids = list(table.index)
        table = table.set_axis(flat_index([one[0] if len(one) == 1 else one for one in ids]))
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise ValueError(f"`static` must have one row per series, got two for {short(twice)}.")
    table = table.set_axis(table.columns.map(str), axis=1)
    if table.columns.has_duplicates:
        name = table.columns[table.columns.duplicated()][0]
        raise ValueError(f"`static` must name each column once, got {short(name)} twice.")
    return table


def _is_category(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype) or (
        pd.api.types.is_string_dtype(column.dtype) or column.dtype == object
    )


def _reals(column: pd.Series, name: str) -> npt.NDArray[np.float64]:
    if not is_numeric(column.dtype):
        raise TypeError(
            f"static column {short(name)} must hold real numbers, got {column.dtype}. Convert it, "
            "or make it a category in `fit` and later: .astype(str)."
        )
    values = numbers(column, f"static column {short(name)}").astype(np.float64)
    wrong = np.flatnonzero(np.abs(values) > LARGEST)
    if len(wrong):
        value, series = values[wrong[0]], column.index[wrong[0]]
        raise ValueError(
            f"static column {short(name)} must be {limit(value)}, got {value} for series "
            f"{short(series)}. Replace it, or mark it as missing with NaN."
        )
    return values


def _scale(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return mean and spread of the values there are; where they do not vary, it is 1."""
    values = values[~np.isnan(values)]
    if not len(values):
        return 0.0, 1.0
    mean = float(values.mean())
    return mean, float(spread_or_one(values.std(), mean, len(values)))
