"""Series that add up: items to stores, stores to regions, regions to a total."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from scipy import sparse

from forecast._checks import short
from forecast.data.backends import like
from forecast.data.frames import read_frames
from forecast.data.keys import id_columns
from forecast.data.panel import Panel, ranges

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame, IntoDataFrameT

TOTAL = "total"


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Say which series are sums of which others; `Hierarchy.of` reads it off a frame.

    Parameters
    ----------
    nodes
        All series: the total, the sums from coarse to fine, then the b parts that are no sums.
    levels
        The level of each, by its name: "total", then the columns.
    sums
        (s, b), 1 where a part belongs to a sum; sparse.
    columns, time_col, target_col
        The columns of the frames that are added up.

    Examples
    --------
    >>> sales = pd.DataFrame(
    ...     {"store": ["A", "A", "B"], "item": ["tea", "milk", "tea"], "ds": 0, "y": [1, 2, 4]}
    ... )
    >>> hierarchy = Hierarchy.of(sales, ["store", "item"])
    >>> hierarchy.levels.tolist()
    ['total', 'store', 'store', 'item', 'item', 'item']
    >>> hierarchy.add_up(sales).loc[0].to_dict()
    {'total': 7.0, 'A': 3.0, 'B': 4.0, 'A/milk': 2.0, 'A/tea': 1.0, 'B/tea': 4.0}
    """

    nodes: pd.Index
    levels: pd.Series
    sums: sparse.csr_array
    columns: tuple[str, ...]
    time_col: str = "ds"
    target_col: str = "y"

    @classmethod
    def of(
        cls,
        y: IntoDataFrame,
        columns: Sequence[str],
        *,
        time_col: str = "ds",
        target_col: str = "y",
    ) -> Self:
        """Return the hierarchy of the columns that name the series of a long frame.

        Parameters
        ----------
        y
            A long frame.
        columns
            From coarse to fine: `["region", "store", "item"]`. A node is named by its values down
            to its level, "north/7/tea".
        time_col, target_col
            The columns of times and of values.

        Raises
        ------
        ValueError
            If two nodes have the same name.

        Examples
        --------
        >>> sales = pd.DataFrame({"store": ["A", "B"], "ds": 0, "y": [1.0, 2.0]})
        >>> hierarchy = Hierarchy.of(sales, ["store"])
        >>> hierarchy.nodes.tolist(), hierarchy.n_sums
        (['total', 'A', 'B'], 1)
        """
        panel = _read(y, columns, time_col, target_col)
        codes, names = zip(*_levels(panel), strict=True)
        nodes = pd.Index(np.concatenate(names))
        if nodes.has_duplicates:
            raise ValueError(
                "`columns` must give every node a name of its own, got "
                f"{short(nodes[nodes.duplicated()][0])} twice. Rename the values that collide."
            )
        sizes = [len(level) for level in names]
        before = np.cumsum([0, *sizes[:-1]])
        rows = np.concatenate([code + n for code, n in zip(codes[:-1], before[:-1], strict=True)])
        places = np.tile(np.arange(panel.n_series), len(columns))
        sums = sparse.csr_array((np.ones(len(rows)), (rows, places)), (before[-1], sizes[-1]))
        levels = pd.Series(np.repeat([TOTAL, *columns], sizes), nodes)
        return cls(nodes, levels, sums, tuple(columns), time_col, target_col)

    @property
    def n_sums(self) -> int:
        """How many nodes are sums: the first ones."""
        return self.sums.shape[0]

    def add_up(self, y: IntoDataFrameT) -> IntoDataFrameT:
        """Return the series of all nodes side by side, a column each.

        A part counts from its first value on; a sum is missing where a part of it is.

        Parameters
        ----------
        y
            A long frame like that of `of`, with the same parts.

        Returns
        -------
        A wide frame, indexed by time, that every forecaster takes. Of a frame of another library
        than pandas a frame of that, the times in its first column.

        Examples
        --------
        >>> sales = pd.DataFrame({"store": ["A", "B"], "ds": 0, "y": [1.0, 2.0]})
        >>> Hierarchy.of(sales, ["store"]).add_up(sales).to_numpy().tolist()
        [[3.0, 1.0, 2.0]]
        """
        panel = _read(y, self.columns, self.time_col, self.target_col)
        *_, (_, names) = _levels(panel)
        if names.tolist() != self.nodes[self.n_sums :].tolist():
            odd = self.nodes[self.n_sums :].symmetric_difference(list(names))
            raise ValueError(
                f"`y` must have the parts of the hierarchy, each once: {short(odd[0])} is in one "
                "of the two only. Make a new one with Hierarchy.of."
            )
        parts = np.full((panel.n_series, len(panel.grid)), np.nan)
        series = np.repeat(np.arange(panel.n_series), panel.lengths)
        parts[series, ranges(panel.starts, panel.lengths)] = panel.values
        born = np.arange(len(panel.grid)) >= panel.starts[:, None]
        whole = np.vstack([self.sums @ np.where(born, parts, 0.0), parts])
        return like(pd.DataFrame(whole.T, panel.grid.rename(self.time_col), self.nodes), y)


def _levels(panel: Panel) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, from coarse to fine, the node of every part by its number, and their names."""
    yield np.zeros(panel.n_series, dtype=np.int64), np.array([TOTAL], dtype=object)
    keys = [key.astype(str) for key in id_columns(panel.ids, panel.layout)]
    frame = pd.DataFrame(dict(enumerate(id_columns(panel.ids, panel.layout))))
    for k in range(len(keys)):
        code = frame.groupby(list(range(k + 1)), sort=False).ngroup().to_numpy()
        first = np.unique(code, return_index=True)[1]
        yield code, np.array(["/".join(key[i] for key in keys[: k + 1]) for i in first], object)


def _read(y: Any, columns: Sequence[str], time_col: str, target_col: str) -> Panel:
    if isinstance(columns, str) or not columns:
        raise TypeError(
            f"`columns` must be a list of columns from coarse to fine, got {short(columns)}."
        )
    return read_frames(y, id_col=list(columns), time_col=time_col, target_col=target_col)
