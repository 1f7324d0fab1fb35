"""Where the values of a part come from: a long frame in memory, or a folder of parquet files."""

from __future__ import annotations

import abc
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import short
from forecast.data.backends import pandas_table
from forecast.partitions.buckets import buckets, n_parts

PART = "_part"
ROWS_AT_ONCE = 1_000_000  # of all parts together, before they are written


class Source(abc.ABC):
    """Series in parts.

    Attributes
    ----------
    id_cols : list of str
        The columns that name a series.
    n_parts : int
        How many parts there are; some may be empty.
    """

    id_cols: list[str]
    n_parts: int

    @abc.abstractmethod
    def divide(self, place: Path) -> list[int]:
        """Divide the series; return the parts that hold one.

        Parameters
        ----------
        place
            A folder for what does not fit into memory. If it is there, it holds the parts already.
        """

    @abc.abstractmethod
    def part(self, part: int) -> pd.DataFrame | Path:
        """Return what a worker needs to `read` a part."""

    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Return a text that changes if the values do."""

    def named(self, part: int) -> str:
        """Name the first series of a part, and say how many there are."""
        ids = read(self.part(part))[self.id_cols].drop_duplicates()
        names = [row[0] if len(row) == 1 else row for row in ids.itertuples(index=False, name=None)]
        return f"{len(ids)} series ({', '.join(short(name) for name in names[:3])}, ...)"


class Table(Source):
    """A long frame in memory; the rows of a part travel to its worker.

    Parameters
    ----------
    y
        A long frame.
    id_cols, columns
        The columns that name a series, and all that are read: the last two are time and target.
    part_size
        Values in a part, about.
    """

    def __init__(
        self, y: Any, id_cols: Sequence[str], columns: Sequence[str], part_size: int
    ) -> None:
        *_, time_col, _ = columns
        y = pandas_table(y, list(id_cols), time_col)
        if not isinstance(y, pd.DataFrame) or not set(columns) <= set(y.columns):
            raise ValueError(
                f"`y` must be a long frame with the columns {', '.join(columns)}, or a folder of "
                f"parquet files, got {short(y)}. Name them: `id_col`, `time_col`, `target_col`."
            )
        self.y, self.id_cols = y[list(columns)], list(id_cols)
        self.n_parts = n_parts(len(y), part_size)
        # sorted once: a look at all rows for every part would take as long as the work on them
        owner = buckets(y[self.id_cols], self.n_parts)
        self.order = np.argsort(owner, kind="stable")
        self.bounds = np.searchsorted(owner[self.order], np.arange(self.n_parts + 1))

    def divide(self, place: Path) -> list[int]:
        """Return the parts that hold a series; the rows stay where they are."""
        return np.flatnonzero(np.diff(self.bounds)).tolist()

    def part(self, part: int) -> pd.DataFrame:
        """Return the rows of a part."""
        return self.y.iloc[self.order[self.bounds[part] : self.bounds[part + 1]]]

    def fingerprint(self) -> str:
        """Hash the values."""
        hashes = pd.util.hash_pandas_object(self.y, index=False).to_numpy()
        return hashlib.sha256(hashes.tobytes()).hexdigest()


class Folder(Source):
    """A folder of parquet files, hive partitions included; a worker reads its part itself.

    The files are read once, batch by batch, and their rows written to a folder per part. To look
    for the series of a part in all files would be a pass per part, and the number of parts grows
    with the data.

    Parameters
    ----------
    path
        The folder.
    id_cols, columns
        The columns that name a series, and all that are read: the last two are time and target.
    part_size
        Values in a part, about.
    """

    def __init__(
        self, path: Path, id_cols: Sequence[str], columns: Sequence[str], part_size: int
    ) -> None:
        self.path, self.id_cols, self.columns = path, list(id_cols), list(columns)
        self.dataset = dataset_of(path)
        if missing := set(self.columns) - set(self.dataset.schema.names):
            raise ValueError(
                f"the files of {str(path)!r} must have the columns {', '.join(self.columns)}, got "
                f"{', '.join(self.dataset.schema.names)}. Name them: `id_col`, `time_col`, "
                f"`target_col`; {sorted(missing)[0]!r} is missing."
            )
        self.n_parts = n_parts(self.dataset.count_rows(), part_size)

    def divide(self, place: Path) -> list[int]:
        """Write the parts to `place`, in one piece, unless they are there."""
        self.place = place
        if not place.exists():
            unfinished = place.with_name(f"{place.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            self._write(unfinished)
            unfinished.rename(place)
        return sorted(int(part.name) for part in place.iterdir())

    def _write(self, place: Path) -> None:
        from pyarrow import dataset, int32, schema

        number = schema([(PART, int32())])
        together = schema([self.dataset.schema.field(name) for name in self.columns] + [*number])
        dataset.write_dataset(
            self._numbered(together),
            place,
            format="parquet",
            schema=together,
            partitioning=dataset.partitioning(number),  # a folder per part, named by its number
            max_partitions=self.n_parts,
            min_rows_per_group=max(1, ROWS_AT_ONCE // self.n_parts),
            use_threads=False,
        )

    def _numbered(self, schema: Any) -> Iterator[Any]:
        """Yield the rows, each with its part."""
        from pyarrow import RecordBatch, array, int32

        # one batch at a time: batches read ahead would be most of the memory that this takes
        ahead = {"batch_readahead": 1, "fragment_readahead": 1, "use_threads": False}
        for batch in self.dataset.to_batches(columns=self.columns, **ahead):
            owner = buckets(batch.select(self.id_cols).to_pandas(), self.n_parts)
            yield RecordBatch.from_arrays([*batch.columns, array(owner, int32())], schema=schema)

    def part(self, part: int) -> Path:
        """Return where the rows of a part are."""
        return self.place / str(part)

    def fingerprint(self) -> str:
        """Hash the names, sizes and times of the files."""
        files = [Path(name) for name in sorted(self.dataset.files)]
        told = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        return hashlib.sha256(repr(told).encode()).hexdigest()


def read(part: pd.DataFrame | Path) -> pd.DataFrame:
    """Return the rows of a part."""
    return pd.read_parquet(part) if isinstance(part, Path) else part


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
