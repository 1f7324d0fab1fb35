"""Where the values of a part come from: a long frame in memory, or a folder of parquet files."""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast._checks import short
from forecast.data.backends import pandas_table
from forecast.partitions.buckets import buckets, key_text, n_parts


class Source(abc.ABC):
    """Series in parts.

    Attributes
    ----------
    ids : DataFrame
        A row per series.
    part_of : array (n,)
        The part of each.
    n_parts : int
    """

    ids: pd.DataFrame
    part_of: NDArray[np.int64]
    n_parts: int

    def _divide(self, ids: pd.DataFrame, n_values: int, part_size: int) -> None:
        self.ids, self.n_parts = ids, n_parts(n_values, part_size)
        self.part_of = buckets(ids, self.n_parts)

    @property
    def parts(self) -> list[int]:
        """The parts that hold a series."""
        return np.unique(self.part_of).tolist()

    def named(self, part: int) -> str:
        """Name the first series of a part, and say how many there are."""
        ids = self.ids[self.part_of == part]
        names = [row[0] if len(row) == 1 else row for row in ids.itertuples(index=False, name=None)]
        return f"{len(ids)} series ({', '.join(short(name) for name in names[:3])}, ...)"

    @abc.abstractmethod
    def part(self, part: int) -> Any:
        """Return what a worker needs to `read` a part."""

    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Return a text that changes if the values do."""


class Table(Source):
    """A long frame in memory; the rows of a part travel to its worker.

    Parameters
    ----------
    y
        A long frame.
    id_cols, time_col
        The columns that name a series, and that of times.
    part_size
        Values in a part, about.
    """

    def __init__(self, y: Any, id_cols: Sequence[str], time_col: str, part_size: int) -> None:
        y = pandas_table(y, list(id_cols), time_col)
        if not isinstance(y, pd.DataFrame) or not set(id_cols) <= set(y.columns):
            raise ValueError(
                f"`y` must be a long frame with the column {list(id_cols)[0]!r}, or a folder of "
                f"parquet files, got {short(y)}. Name the column that tells series apart: `id_col`."
            )
        self.y = y
        codes, distinct = pd.factorize(pd.Series(key_text(y[list(id_cols)]), dtype=object))
        first = np.unique(codes, return_index=True)[1]
        self._divide(y[list(id_cols)].iloc[first], len(y), part_size)
        # sorted once: a look at all rows for every part would take as long as the work on them
        owner = self.part_of[codes]
        self.order = np.argsort(owner, kind="stable")
        self.bounds = np.searchsorted(owner[self.order], np.arange(self.n_parts + 1))

    def part(self, part: int) -> pd.DataFrame:
        """Return the rows of a part."""
        return self.y.iloc[self.order[self.bounds[part] : self.bounds[part + 1]]]

    def fingerprint(self) -> str:
        """Hash the values."""
        hashes = pd.util.hash_pandas_object(self.y, index=False).to_numpy()
        return hashlib.sha256(hashes.tobytes()).hexdigest()


class Folder(Source):
    """A folder of parquet files, hive partitions included; a worker reads its series itself.

    Parameters
    ----------
    path
        The folder.
    id_cols, columns
        The columns that name a series, and all that are read.
    part_size
        Values in a part, about.
    """

    def __init__(
        self, path: Path, id_cols: Sequence[str], columns: Sequence[str], part_size: int
    ) -> None:
        self.path, self.id_cols, self.columns = path, list(id_cols), list(columns)
        dataset = dataset_of(path)
        if missing := set(self.columns) - set(dataset.schema.names):
            raise ValueError(
                f"the files of {str(path)!r} must have the columns {', '.join(self.columns)}, got "
                f"{', '.join(dataset.schema.names)}. Name them: `id_col`, `time_col`, "
                f"`target_col`; {sorted(missing)[0]!r} is missing."
            )
        found: dict[tuple[Any, ...], int] = {}
        for batch in dataset.to_batches(columns=self.id_cols):
            counts = batch.to_pandas().value_counts(sort=False)
            for key, count in counts.items():
                found[key] = found.get(key, 0) + int(count)
        ids = pd.DataFrame(list(found), columns=self.id_cols)
        self._divide(ids, sum(found.values()), part_size)

    def part(self, part: int) -> FolderPart:
        """Return where the rows of a part are."""
        return FolderPart(self.path, self.columns, self.ids[self.part_of == part])

    def fingerprint(self) -> str:
        """Hash the names, sizes and times of the files."""
        files = sorted(dataset_of(self.path).files)
        told = [(name, Path(name).stat().st_size, Path(name).stat().st_mtime_ns) for name in files]
        return hashlib.sha256(repr(told).encode()).hexdigest()


class FolderPart:
    """Some series of a folder, not read yet."""

    def __init__(self, path: Path, columns: list[str], ids: pd.DataFrame) -> None:
        self.path, self.columns, self.ids = path, columns, ids

    def read(self) -> pd.DataFrame:
        """Read them: nothing else of the files is kept."""
        from pyarrow import dataset

        first = str(self.ids.columns[0])
        named = dataset.field(first).isin(self.ids[first].unique().tolist())
        rows = dataset_of(self.path).to_table(columns=self.columns, filter=named).to_pandas()
        if self.ids.shape[1] == 1:
            return rows
        return rows.merge(self.ids, on=list(self.ids.columns))


def read(part: pd.DataFrame | FolderPart) -> pd.DataFrame:
    """Return the rows of a part."""
    return part.read() if isinstance(part, FolderPart) else part


def dataset_of(path: Path) -> Any:
    """Open a folder of parquet files.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    FileNotFoundError
        If there are no such files.
    """
    try:
        from pyarrow import dataset
    except ImportError as error:
        raise ImportError(
            f"{str(path)!r} needs pyarrow: pip install 'forecast[parquet]'."
        ) from error
    files = sorted(str(file) for file in path.rglob("*.parquet"))
    if not files:
        raise FileNotFoundError(
            f"{str(path)!r} must be a folder with parquet files, got none. Give one file by its "
            "name."
        )
    return dataset.dataset(files, format="parquet", partitioning="hive")
