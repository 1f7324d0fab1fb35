"""Forecast more series than fit one core, or one memory: part by part, through joblib."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from pickle import PicklingError
from tempfile import TemporaryDirectory
from textwrap import shorten
from typing import Any

import joblib
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone

from forecast._checks import positive_integer, short
from forecast.data.backends import like
from forecast.data.calendar import infer_season_length
from forecast.data.frames import read_frames
from forecast.data.writing import replace_file
from forecast.forecasters.arguments import probabilities
from forecast.forecasters.base import BaseForecaster
from forecast.partitions.buckets import n_parts
from forecast.partitions.lazy import LazyFrame, lazy_frame
from forecast.partitions.sources import Folder, Source, Table, read
from forecast.partitions.tasks import Done, backtest_part, do_part, predict_part

PART_SIZE = 200_000  # values
ATTEMPTS = 3  # at a part, unless its data are refused


class PartsFailed(RuntimeError):
    """Some parts could not be done; the others are.

    Attributes
    ----------
    finished : DataFrame or None
        What was done, if it was not written to a folder.
    failed : dict
        Number of a part -> why.
    """

    def __init__(self, message: str, finished: pd.DataFrame | None, failed: dict[int, str]) -> None:
        super().__init__(message)
        self.finished, self.failed = finished, failed


class Partitioned:
    """Let a forecaster work on many series part by part, on several cores or machines.

    A part holds the series whose hashed ids fall together, about `part_size` values. A fitted
    forecaster is sent as the file that `save` writes, loaded once per worker, and applied to each
    part; one that is not fitted is fitted to each part as to a panel of its own. Where parts are
    worked on is joblib's matter: `n_jobs` processes here, or with
    `joblib.parallel_config(backend="dask")` those of a cluster. The parts, and so the forecasts,
    are the same wherever they run.

    Parameters
    ----------
    forecaster
        Fitted, without covariates, or one that learns each series on its own or nothing.
    n_jobs : int, optional
        Processes; -1: one per core. None: one, or what `joblib.parallel_config` says.
    part_size : int
        Values in a part, about. A worker holds one part at a time, and some ten times its values
        while it forecasts.
    verbose : int
        1 shows a progress bar.

    Examples
    --------
    >>> from forecast import NaiveForecaster
    >>> y = pd.DataFrame({"unique_id": list("aabb"), "ds": [1, 2, 1, 2], "y": [1.0, 2.0, 3.0, 4.0]})
    >>> Partitioned(NaiveForecaster(season_length=1), part_size=2).predict(y, 1)
      unique_id  ds    y
    0         a   3  2.0
    1         b   3  4.0
    """

    def __init__(
        self,
        forecaster: BaseForecaster,
        *,
        n_jobs: int | None = None,
        part_size: int = PART_SIZE,
        verbose: int = 0,
    ) -> None:
        if not isinstance(forecaster, BaseForecaster):
            raise TypeError(
                "`forecaster` must be a forecaster of this package, such as ThetaForecaster(), got "
                f"{short(forecaster)}."
            )
        panel = getattr(forecaster, "panel_", None)
        if panel is not None and (panel.X_names or panel.past_names):
            raise ValueError(
                "`forecaster` must read no covariates, because parts have none, got one that was "
                f"fitted with {[*panel.X_names, *panel.past_names]}. Fit one without X."
            )
        self.forecaster, self.n_jobs, self.verbose = forecaster, n_jobs, verbose
        self.part_size = positive_integer("part_size", part_size)

    def predict(
        self,
        y: Any,
        horizon: int | None = None,
        *,
        levels: Sequence[float] = (),
        output: str | Path | None = None,
    ) -> Any:
        """Forecast every series.

        Parameters
        ----------
        y
            A long frame, of dask or Spark too, or a folder of parquet files that hold one
            together. Columns beside series, time and target are not read.
        horizon
            Steps ahead. None: those the forecaster was made for.
        levels
            Quantiles besides the point forecast.
        output
            A folder for one parquet file per part. What it has already is not done again, so a run
            that was interrupted goes on.

        Returns
        -------
        The forecasts as a long frame, sorted by series; None if they went to `output`. Of a frame
        of dask or Spark such a frame, not computed yet and in no order.

        Raises
        ------
        PartsFailed
            If a part failed three times, or its data are refused; the message names its series. All
            others are done.
        ValueError
            If `y` is not long, no horizon is known, levels do not rise within (0, 1), or `output`
            holds other forecasts.
        """
        horizon = self._horizon(horizon)
        levels = probabilities(levels) if len(levels) else ()
        work = partial(predict_part, horizon=horizon, levels=levels)
        return self._run(work, y, output, {"horizon": horizon, "levels": levels})

    def backtest(
        self,
        y: Any,
        horizon: int | None = None,
        *,
        output: str | Path | None = None,
        **options: Any,
    ) -> Any:
        """Forecast every series from past origins: the forecast table that `backtest` returns.

        Parameters
        ----------
        y, horizon, output
            As in `predict`.
        **options
            `n_windows, step, gap, refit, quantiles` of `forecast.backtest`.

        Raises
        ------
        ValueError
            If the forecaster is fitted: it would know what came after the origins.

        Examples
        --------
        >>> from forecast import NaiveForecaster
        >>> y = pd.DataFrame(
        ...     {"unique_id": list("aabb"), "ds": [1, 2, 1, 2], "y": [1.0, 2.0, 3.0, 4.0]}
        ... )
        >>> Partitioned(NaiveForecaster(season_length=1)).backtest(y, 1)[
        ...     ["unique_id", "y", "y_hat"]
        ... ]
          unique_id    y  y_hat
        0         a  2.0    1.0
        1         b  4.0    3.0
        """
        if self._is_fitted:
            raise ValueError(
                "`forecaster` must not be fitted for a backtest, because it would know what came "
                f"after the origins; got a fitted {type(self.forecaster).__name__}. Use clone."
            )
        horizon = self._horizon(horizon)
        work = partial(backtest_part, horizon=horizon, **options)
        return self._run(
            work, y, output, {"horizon": horizon} | {k: str(v) for k, v in options.items()}
        )

    @property
    def _is_fitted(self) -> bool:
        return hasattr(self.forecaster, "panel_")

    def _horizon(self, horizon: int | None) -> int:
        own = getattr(self.forecaster, "horizon_", self.forecaster.horizon)
        if horizon is None and own is None:
            raise ValueError(
                "`horizon` must be given: parts of different length would have defaults of their "
                f"own, got None here and in the {type(self.forecaster).__name__}."
            )
        return positive_integer("horizon", own if horizon is None else horizon)

    @property
    def _id_cols(self) -> list[str]:
        named = self.forecaster.id_col
        return [named] if isinstance(named, str) else list(named)

    @property
    def _columns(self) -> list[str]:
        return [*self._id_cols, self.forecaster.time_col, self.forecaster.target_col]

    def _source(self, y: Any) -> Source:
        if isinstance(y, str | Path):
            return Folder(Path(y), self._id_cols, self._columns, self.part_size)
        return Table(y, self._id_cols, self._columns, self.part_size)

    def _lazily(self, work: Callable[..., pd.DataFrame], frame: LazyFrame, output: Any) -> Any:
        """Return the engine's frame of the answers; only the first part is worked on now."""
        if output is not None:
            raise ValueError(
                f"`output` must be None where `y` is a frame of dask or Spark, got {short(output)}."
                " What is returned is such a frame: write it with to_parquet or write.parquet."
            )
        count = n_parts(len(frame), self.part_size)
        frame = frame.numbered(self._columns, self._id_cols, count)
        first = next(rows for rows in map(frame.part, range(count)) if len(rows))
        learner = self._told(self._sent(), first)
        return frame.worked(partial(work, learner), work(learner, first))

    def _run(
        self, work: Callable[..., pd.DataFrame], y: Any, output: Any, about: dict[str, Any]
    ) -> Any:
        if (frame := lazy_frame(y)) is not None:
            return self._lazily(work, frame, output)
        source, learner = self._source(y), self._sent()
        files: dict[int, Path | None] = dict.fromkeys(range(source.n_parts))
        if output is not None:
            about |= {"forecaster": _digest(learner), "data": source.fingerprint()}
            files = _files(Path(output), source, about)
        if not (left := _left(files)):
            return None
        tables: dict[int, pd.DataFrame] = {}
        failed: dict[int, str] = {}
        with _place(output) as place:
            parts = source.divide(place)
            learner = self._told(learner, read(source.part(parts[0])))
            left = [part for part in left if part in set(parts)]
            for done in self._worked(work, learner, source, left, files):
                if done.failure is not None:
                    failed[done.part] = done.failure
                elif done.table is not None:
                    tables[done.part] = done.table
            table = like(_ordered(tables, source), y) if tables else None
            if failed:
                raise PartsFailed(_message(failed, len(parts), source), table, failed)
        return table

    def _sent(self) -> bytes | BaseForecaster:
        """Return what workers get: the file of a fitted forecaster, or one to be fitted."""
        if not self._is_fitted:
            return clone(self.forecaster)
        with TemporaryDirectory() as folder:
            self.forecaster.save(path := Path(folder) / "model")
            return path.read_bytes()

    def _told(self, learner: bytes | BaseForecaster, rows: pd.DataFrame) -> bytes | BaseForecaster:
        """Let the first part tell what all share: frequency and season."""
        if isinstance(learner, bytes):
            return learner
        names = ("freq", "id_col", "time_col", "target_col")
        columns = {name: getattr(learner, name) for name in names}
        panel = read_frames(rows, **columns)
        season = learner.season_length or infer_season_length(panel)
        return learner.set_params(freq=panel.freq, season_length=season)

    def _worked(
        self,
        work: Callable[..., pd.DataFrame],
        forecaster: bytes | BaseForecaster,
        source: Source,
        left: list[int],
        files: dict[int, Path | None],
    ) -> Iterator[Done]:
        """Yield what comes of the parts; those that fail are tried again, in the end alone."""
        from rich.console import Console
        from rich.progress import Progress

        failed: dict[int, Done] = {}
        with Progress(console=Console(stderr=True), disable=not self.verbose) as bar:
            task = bar.add_task("parts", total=len(left))
            for _ in range(ATTEMPTS):
                for done in self._attempt(work, forecaster, source, left, files):
                    if done.failure is not None:
                        failed[done.part] = done
                        continue
                    bar.advance(task)
                    failed.pop(done.part, None)
                    yield done
                left = [part for part, done in failed.items() if not done.refused]
        yield from failed.values()

    def _attempt(
        self, work: Any, forecaster: Any, source: Source, left: list[int], files: Any
    ) -> Iterator[Done]:
        do = delayed(do_part)
        calls = (do(work, forecaster, part, source.part(part), files[part]) for part in left)
        answered: set[int] = set()
        try:
            for done in self._parallel()(calls):
                answered.add(done.part)
                yield done
        except Exception as error:  # a worker is gone, for whatever reason its backend has
            told = shorten(f"{type(error).__name__}: {error}", 300, placeholder=" ...")
            lost = [part for part in left if part not in answered]
            yield from (Done(part, None, f"its worker was lost, {told}") for part in lost)

    def _parallel(self) -> Parallel:
        """Return joblib's loop; parts wait in this process, not in the memory of workers."""
        try:
            return Parallel(self.n_jobs, return_as="generator_unordered", pre_dispatch="n_jobs")
        except ValueError:  # Ray and Spark give all answers in the end
            return Parallel(self.n_jobs, pre_dispatch="n_jobs")


def _digest(learner: bytes | BaseForecaster) -> str:
    """Return a hash of all parameters; of functions without a name only this process has it."""
    try:
        return str(joblib.hash(learner))
    except PicklingError:
        return str(joblib.hash(repr(learner)))


def _files(folder: Path, source: Source, about: dict[str, Any]) -> dict[int, Path | None]:
    """Return the file of every part, after a look whether the folder holds the same forecasts."""
    folder.mkdir(parents=True, exist_ok=True)
    told = json.dumps(about | {"parts": source.n_parts}, indent=1).encode()
    name = folder / "_about.json"  # who reads the folder as a table skips what begins so
    if name.exists() and name.read_bytes() != told:
        raise ValueError(
            f"{str(folder)!r} holds forecasts of another model, other data or other settings. "
            "Choose another folder, or empty it."
        )
    replace_file(name, told)
    return {part: folder / f"part-{part:05}.parquet" for part in range(source.n_parts)}


def _left(files: dict[int, Path | None]) -> list[int]:
    """Return the parts that have no file yet."""
    return [part for part, file in files.items() if file is None or not file.exists()]


@contextlib.contextmanager
def _place(output: str | Path | None) -> Iterator[Path]:
    """Give a place for the parts, beside the answers until all are there."""
    if output is None:
        with TemporaryDirectory() as folder:
            yield Path(folder) / "parts"
        return
    yield (place := Path(output) / "_parts")
    shutil.rmtree(place, ignore_errors=True)


def _ordered(tables: dict[int, pd.DataFrame], source: Source) -> pd.DataFrame:
    """Return the tables of all parts as one, sorted by series as those of one panel are."""
    table = pd.concat([tables[part] for part in sorted(tables)], ignore_index=True)
    return table.sort_values(source.id_cols, kind="stable", ignore_index=True)


def _message(failed: dict[int, str], n_parts: int, source: Source) -> str:
    first, why = next(iter(failed.items()))
    return (
        f"{len(failed)} of {n_parts} parts failed, first that of "
        f"{source.named(first)}: {why.removesuffix('.')}. All others are done. If "
        "workers are killed, they may lack memory: make parts smaller by `part_size`."
    )
