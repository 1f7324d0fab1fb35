"""Forecast more series than fit one core, or one memory: part by part, through joblib."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone

from forecast._checks import positive_integer
from forecast.data.calendar import infer_season_length
from forecast.data.files import write_file
from forecast.data.frames import read_frames
from forecast.data.writing import replace_file
from forecast.evaluation.backtest import backtest
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.loading import load
from forecast.partitions.sources import Folder, Source, Table, read

PART_SIZE = 200_000  # values
ATTEMPTS = 3  # at a part


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


class Done(NamedTuple):
    """What came of a part: its table, None if it was written; or why it failed."""

    part: int
    table: pd.DataFrame | None
    failure: str | None = None


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
        Fitted, or one that learns each series on its own or nothing.
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
        self.forecaster, self.n_jobs, self.verbose = forecaster, n_jobs, verbose
        self.part_size = positive_integer("part_size", part_size)

    def predict(
        self,
        y: Any,
        horizon: int | None = None,
        *,
        levels: Sequence[float] = (),
        output: str | Path | None = None,
    ) -> pd.DataFrame | None:
        """Forecast every series.

        Parameters
        ----------
        y
            A long frame, or a folder of parquet files that hold one together.
        horizon
            Steps ahead. None: those the forecaster was made for.
        levels
            Quantiles besides the point forecast.
        output
            A folder for one parquet file per part. What it has already is not done again, so a run
            that was interrupted goes on.

        Returns
        -------
        The forecasts as a long frame, sorted by series; None if they went to `output`.

        Raises
        ------
        PartsFailed
            If a part failed three times; the message names its series. All others are done.
        ValueError
            If `y` is not long, no horizon is known, or `output` holds other forecasts.
        """
        horizon = self._horizon(horizon)
        work = partial(_forecast, horizon=horizon, levels=tuple(levels))
        return self._run(work, y, output, {"horizon": horizon, "levels": list(levels)})

    def backtest(
        self,
        y: Any,
        horizon: int | None = None,
        *,
        output: str | Path | None = None,
        **options: Any,
    ) -> pd.DataFrame | None:
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
        """
        if self._is_fitted:
            raise ValueError(
                "`forecaster` must not be fitted for a backtest, because it would know what came "
                f"after the origins; got a fitted {type(self.forecaster).__name__}. Use clone."
            )
        horizon = self._horizon(horizon)
        work = partial(_backtest, horizon=horizon, **options)
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

    def _source(self, y: Any) -> Source:
        named = self.forecaster.id_col
        id_cols = [named] if isinstance(named, str) else list(named)
        if not isinstance(y, str | Path):
            return Table(y, id_cols, self.forecaster.time_col, self.part_size)
        columns = [*id_cols, self.forecaster.time_col, self.forecaster.target_col]
        return Folder(Path(y), id_cols, columns, self.part_size)

    def _run(
        self, work: Callable[..., pd.DataFrame], y: Any, output: Any, about: dict[str, Any]
    ) -> pd.DataFrame | None:
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
            learner = self._told(learner, source, parts[0])
            left = [part for part in left if part in set(parts)]
            for done in self._worked(work, learner, source, left, files):
                if done.failure is not None:
                    failed[done.part] = done.failure
                elif done.table is not None:
                    tables[done.part] = done.table
            table = _ordered(tables, source) if tables else None
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

    def _told(
        self, learner: bytes | BaseForecaster, source: Source, part: int
    ) -> bytes | BaseForecaster:
        """Let a part tell what all share: frequency and season."""
        if isinstance(learner, bytes):
            return learner
        names = ("freq", "id_col", "time_col", "target_col")
        columns = {name: getattr(learner, name) for name in names}
        panel = read_frames(read(source.part(part)), **columns)
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

        failed: dict[int, str] = {}
        with Progress(console=Console(stderr=True), disable=not self.verbose) as bar:
            task = bar.add_task("parts", total=len(left))
            for _ in range(ATTEMPTS):
                for done in self._attempt(work, forecaster, source, left, files):
                    if done.failure is not None:
                        failed[done.part] = done.failure
                        continue
                    bar.advance(task)
                    left = [part for part in left if part != done.part]
                    failed.pop(done.part, None)
                    yield done
        yield from (Done(part, None, failed.get(part, "its worker was killed")) for part in left)

    def _attempt(
        self, work: Any, forecaster: Any, source: Source, left: list[int], files: Any
    ) -> Iterator[Done]:
        calls = (
            delayed(_do)(work, forecaster, part, source.part(part), files[part]) for part in left
        )
        try:
            yield from self._parallel()(calls)
        except Exception:  # a worker is gone, for whatever reason its backend has: try again
            return

    def _parallel(self) -> Parallel:
        """Return joblib's loop; parts wait in this process, not in the memory of workers."""
        try:
            return Parallel(self.n_jobs, return_as="generator_unordered", pre_dispatch="n_jobs")
        except ValueError:  # Ray and Spark give all answers in the end
            return Parallel(self.n_jobs, pre_dispatch="n_jobs")


def _do(
    work: Callable[..., pd.DataFrame],
    forecaster: bytes | BaseForecaster,
    part: int,
    rows: pd.DataFrame | Path,
    file: Path | None,
) -> Done:
    """Work on a part, in a worker; not again if an attempt before left it in its file."""
    if file is not None and file.exists():
        return Done(part, None)
    try:
        table = work(forecaster, read(rows))
        if file is not None:
            write_file(table, file)
    except Exception as error:
        return Done(part, None, f"{type(error).__name__}: {error}")
    return Done(part, table if file is None else None)


def _forecast(
    forecaster: bytes | BaseForecaster, y: pd.DataFrame, horizon: int, levels: tuple[float, ...]
) -> pd.DataFrame:
    model: Any = forecaster
    model = loaded(model).apply(y) if isinstance(model, bytes) else clone(model).fit(y)
    points: pd.DataFrame = model.predict(horizon)
    if not levels:
        return points
    bands = model.predict_quantiles(horizon, levels=levels)
    return pd.concat([points, bands.drop(columns=points.columns, errors="ignore")], axis=1)


def _backtest(
    forecaster: BaseForecaster, y: pd.DataFrame, horizon: int, **options: Any
) -> pd.DataFrame:
    return backtest(forecaster, y, horizon, **options)


@functools.lru_cache(maxsize=1)
def loaded(content: bytes) -> BaseForecaster:
    """Return the forecaster of a file's content; a worker loads it once."""
    with TemporaryDirectory() as folder:
        (path := Path(folder) / "model").write_bytes(content)
        return load(path)


def _digest(forecaster: bytes | BaseForecaster) -> str:
    content = forecaster if isinstance(forecaster, bytes) else repr(forecaster).encode()
    return hashlib.sha256(content).hexdigest()


def _files(folder: Path, source: Source, about: dict[str, Any]) -> dict[int, Path | None]:
    """Return the file of every part, after a look whether the folder holds the same forecasts."""
    folder.mkdir(exist_ok=True)
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
        f"{len(failed)} of {n_parts} parts failed {ATTEMPTS} times, first that of "
        f"{source.named(first)}: {why}. All others are done. If "
        "workers are killed, they may lack memory: make parts smaller by `part_size`."
    )
