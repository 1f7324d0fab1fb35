"""Frames of dask and Spark, which hold more than a memory: their engine does the dividing.

The parts are those of any other source, because a row's part is told by its id. What comes back is
a frame of the same engine, which has not computed anything yet.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import narwhals as nw
import pandas as pd

from forecast.partitions.buckets import buckets
from forecast.partitions.sources import PART

Work = Callable[[pd.DataFrame], pd.DataFrame]


class LazyFrame(abc.ABC):
    """A long frame of an engine.

    Parameters
    ----------
    y
        The frame.
    """

    def __init__(self, y: Any) -> None:
        self.y = y

    @abc.abstractmethod
    def __len__(self) -> int:
        """Count the rows."""

    @abc.abstractmethod
    def numbered(self, columns: Sequence[str], id_cols: Sequence[str], count: int) -> Self:
        """Return some columns, and beside them which of `count` parts a row belongs to."""

    @abc.abstractmethod
    def part(self, part: int) -> pd.DataFrame:
        """Return the rows of a part of a numbered frame, here and now."""

    @abc.abstractmethod
    def worked(self, work: Work, like: pd.DataFrame) -> Any:
        """Return the engine's frame of what work makes of the parts; `like` shows its columns."""


class DaskFrame(LazyFrame):
    """A `dask.dataframe.DataFrame`."""

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.y)

    def numbered(self, columns: Sequence[str], id_cols: Sequence[str], count: int) -> Self:
        """Return some columns, and beside them which of `count` parts a row belongs to."""
        number = partial(_numbered, id_cols=list(id_cols), count=count)
        return type(self)(self.y[list(columns)].map_partitions(number))

    def part(self, part: int) -> pd.DataFrame:
        """Return the rows of a part of a numbered frame, here and now."""
        rows: pd.DataFrame = self.y[self.y[PART] == part].drop(columns=PART).compute()
        return rows

    def worked(self, work: Work, like: pd.DataFrame) -> Any:
        """Return the frame of what work makes of the parts; `like` shows its columns."""
        each = partial(_each, work=work, like=like.iloc[:0])
        return self.y.shuffle(PART).map_partitions(each, meta=like.iloc[:0])


class SparkFrame(LazyFrame):
    """A `pyspark.sql.DataFrame`."""

    def __len__(self) -> int:
        """Count the rows."""
        return int(self.y.count())

    def numbered(self, columns: Sequence[str], id_cols: Sequence[str], count: int) -> Self:
        """Return some columns, and beside them which of `count` parts a row belongs to."""
        y, number = self.y.select(*columns), partial(_numbered, id_cols=list(id_cols), count=count)
        schema = type(y.schema)(list(y.schema.fields)).add(PART, "integer")
        return type(self)(y.mapInPandas(lambda batches: map(number, batches), schema))

    def part(self, part: int) -> pd.DataFrame:
        """Return the rows of a part of a numbered frame, here and now."""
        rows: pd.DataFrame = self.y.filter(self.y[PART] == part).drop(PART).toPandas()
        return rows

    def worked(self, work: Work, like: pd.DataFrame) -> Any:
        """Return the frame of what work makes of the parts; `like` shows its columns."""
        schema = self.y.sparkSession.createDataFrame(like).schema
        parts = self.y.groupBy(PART)
        return parts.applyInPandas(lambda rows: work(rows.drop(columns=PART)), schema)


def lazy_frame(y: Any) -> LazyFrame | None:
    """Return what is known of a frame of dask or Spark, None of anything else."""
    if nw.dependencies.is_dask_dataframe(y):
        return DaskFrame(y)
    if nw.dependencies.is_pyspark_dataframe(y) or nw.dependencies.is_pyspark_connect_dataframe(y):
        return SparkFrame(y)
    return None


def _numbered(rows: pd.DataFrame, id_cols: list[str], count: int) -> pd.DataFrame:
    return rows.assign(**{PART: buckets(rows[id_cols], count).astype("int32")})


def _each(rows: pd.DataFrame, work: Work, like: pd.DataFrame) -> pd.DataFrame:
    """Work on each of some parts that lie together."""
    tables = [work(part.drop(columns=PART)) for _, part in rows.groupby(PART)]
    return pd.concat(tables, ignore_index=True) if tables else like
