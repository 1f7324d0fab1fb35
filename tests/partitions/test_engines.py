"""Engines of clusters: the same forecasts, and nothing lost with a worker.

`make check-engines` gives each engine an environment of its own; elsewhere its tests are skipped.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import pytest

from forecast import NaiveForecaster, Partitioned, PretrainedForecaster

# what engines warn of is theirs; ports and processes are still being closed when a test ends
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]
N, LENGTH = 20_000, 24
KEYS = ["unique_id", "cutoff", "ds"]


class Engine(NamedTuple):
    """An engine with two workers: its name for joblib, and how it makes and ends a lazy frame."""

    name: str
    ready: Callable[[], Any] = lambda: None
    lazy: Callable[[pd.DataFrame], Any] | None = None
    collect: Callable[[Any], pd.DataFrame] | None = None


def dask_cluster() -> Iterator[Engine]:
    dask = pytest.importorskip("dask.dataframe")
    distributed = pytest.importorskip("distributed")
    workers = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**workers) as cluster, distributed.Client(cluster) as client:
        yield Engine(
            "dask",
            # where a killed worker left one alone, joblib would work in this process
            lambda: client.wait_for_workers(2),
            lambda y: dask.from_pandas(y, npartitions=5),
            lambda y: y.compute(),
        )


def ray_cluster() -> Iterator[Engine]:
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False)
    register_ray()
    yield Engine("ray")
    ray.shutdown()


def spark_session() -> Iterator[Engine]:
    sql = pytest.importorskip("pyspark.sql")
    pytest.importorskip("joblibspark").register_spark()
    # Spark would start whatever python3 the path has
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", False)
    session = session.config("spark.sql.shuffle.partitions", 4).getOrCreate()
    yield Engine("spark", lazy=session.createDataFrame, collect=lambda y: y.toPandas())
    session.stop()


@pytest.fixture(scope="module", params=[dask_cluster, ray_cluster, spark_session])
def started(request: pytest.FixtureRequest) -> Iterator[Engine]:
    yield from request.param()


@pytest.fixture
def engine(started: Engine) -> Engine:
    started.ready()
    return started


def panel(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    months = pd.date_range("2020-01-01", periods=LENGTH, freq="MS")
    ids = np.char.add("shop ", rng.permutation(n).astype(str))
    values = 50 + rng.normal(size=(n, LENGTH)).cumsum(1)
    return pd.DataFrame(
        {"unique_id": np.repeat(ids, LENGTH), "ds": np.tile(months, n), "y": values.ravel()}
    )


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Hold that two tables are equal to the bit, but for the order of rows and kinds of text."""
    keys = [name for name in KEYS if name in other]
    tables = [table.sort_values(keys, ignore_index=True)[list(other)] for table in (one, other)]
    assert len(one) == len(other)
    for name in other:
        if pd.api.types.is_float_dtype(other[name]):
            np.testing.assert_array_equal(*(table[name].to_numpy() for table in tables))
        else:
            assert (tables[0][name] == tables[1][name]).all(), name


def test_predict_and_backtest_are_those_of_one_process(engine: Engine) -> None:
    y = panel(N)
    parts = Partitioned(NaiveForecaster(), part_size=60_000)
    works = {
        "predict": lambda: parts.predict(y, 6, levels=[0.1, 0.9]),
        "backtest": lambda: parts.backtest(y, 2, n_windows=10, step=1),
    }
    for name, work in works.items():
        alone, began = work(), time.perf_counter()
        with joblib.parallel_config(backend=engine.name, n_jobs=2):
            found = work()
        print(f"{engine.name}: {name} of {N} series in {time.perf_counter() - began:.1f} s")
        same(found, alone)


def test_a_fitted_forecaster_is_sent_as_its_file(engine: Engine, tmp_path: Path) -> None:
    y = panel(200)
    fitted = PretrainedForecaster(horizon=3).fit(y[y["unique_id"] < "shop 12"])
    parts = Partitioned(fitted, part_size=1_000)
    with joblib.parallel_config(backend=engine.name, n_jobs=2):
        parts.predict(y, levels=[0.1, 0.9], output=tmp_path / "next")
    same(pd.read_parquet(tmp_path / "next"), parts.predict(y, levels=[0.1, 0.9]))


class Fragile(NaiveForecaster):
    """Kills its process once: where a series has the name of a file that is there."""

    def _fit(self, panel: Any) -> None:
        for one in map(Path, panel.ids):
            if one.is_absolute() and one.exists():
                one.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        super()._fit(panel)


@pytest.mark.parametrize("written", [False, True])
def test_a_killed_worker_costs_a_retry_and_no_series(
    written: bool, engine: Engine, tmp_path: Path
) -> None:
    (once := tmp_path / "once").touch()
    y = panel(50).replace({"unique_id": {"shop 7": str(once)}})
    output = tmp_path / "next" if written else None
    parts = Partitioned(Fragile(season_length=12), part_size=200)
    with joblib.parallel_config(backend=engine.name, n_jobs=2):
        found = parts.predict(y, 5, output=output)
    assert not once.exists()
    found = found if output is None else pd.read_parquet(output)
    same(found, NaiveForecaster(season_length=12).fit(y).predict(5))


def test_a_frame_of_the_engine_gives_such_a_frame(engine: Engine) -> None:
    if engine.lazy is None or engine.collect is None:
        pytest.skip(f"{engine.name} has no such frame")
    y = panel(50)
    parts = Partitioned(NaiveForecaster(), part_size=200)
    frame = engine.lazy(y)
    found = parts.predict(frame, 5, levels=[0.1, 0.9])
    assert type(found).__module__.split(".")[0] == type(frame).__module__.split(".")[0]
    same(engine.collect(found), parts.predict(y, 5, levels=[0.1, 0.9]))
    table = parts.backtest(frame, 2, n_windows=3)
    same(engine.collect(table), parts.backtest(y, 2, n_windows=3))
    with pytest.raises(ValueError, match="`output` must be None"):
        parts.predict(frame, 5, output="next")
