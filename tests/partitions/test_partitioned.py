"""Parts: the same forecasts wherever they are made, and nothing lost where one fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer

from forecast import (
    CombinedForecaster,
    MarkovForecaster,
    NaiveForecaster,
    PretrainedForecaster,
    backtest,
)
from forecast.partitions.partitioned import Partitioned, PartsFailed

N, LENGTH = 23, 30


@pytest.fixture(scope="module")
def y() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=LENGTH, freq="D")
    ids = [f"shop {k}" for k in rng.permutation(N)]
    values = 50 + rng.normal(size=(N, LENGTH)).cumsum(1)
    return pd.DataFrame(
        {"unique_id": np.repeat(ids, LENGTH), "ds": np.tile(days, N), "y": values.ravel()}
    )


@pytest.fixture
def folder(y, tmp_path) -> Path:
    """By month, so that every series lies in several files."""
    for month, rows in y.groupby(y["ds"].dt.day // 11):
        (place := tmp_path / "data" / f"third={month}").mkdir(parents=True)
        rows.to_parquet(place / "rows.parquet", index=False)
    return tmp_path / "data"


def test_forecasts_in_parts_are_those_of_the_whole(y):
    parts = Partitioned(NaiveForecaster(horizon=5), part_size=100)
    found = parts.predict(y, levels=[0.1, 0.9])
    whole = NaiveForecaster(horizon=5).fit(y)
    pd.testing.assert_frame_equal(found[["unique_id", "ds", "y"]], whole.predict())
    bands = whole.predict_quantiles(levels=[0.1, 0.9])
    pd.testing.assert_frame_equal(found[["unique_id", "ds", "q0.1", "q0.9"]], bands)


@pytest.mark.parametrize("kind", [PretrainedForecaster, MarkovForecaster])
def test_a_fitted_forecaster_is_applied_to_every_part(kind, y):
    fitted = kind(horizon=3).fit(y[y["unique_id"].isin(["shop 1", "shop 2", "shop 3"])])
    found = Partitioned(fitted, part_size=100).predict(y)
    whole = fitted.apply(y).predict()
    pd.testing.assert_frame_equal(found, whole, rtol=1e-6)


@pytest.mark.slow
def test_two_processes_answer_as_one_to_the_bit(y):
    model = PretrainedForecaster(horizon=4)
    one, two = (
        Partitioned(model, n_jobs=jobs, part_size=150).predict(y, levels=[0.1, 0.9])
        for jobs in (1, 2)
    )
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_a_backtest_in_parts_is_that_of_the_whole(y):
    found = Partitioned(NaiveForecaster(), part_size=100).backtest(y, 4, n_windows=3)
    whole = backtest(NaiveForecaster(), y, 4, n_windows=3)
    keys = ["unique_id", "cutoff", "ds"]
    pd.testing.assert_frame_equal(
        found.sort_values(keys, ignore_index=True), whole.sort_values(keys, ignore_index=True)
    )
    with pytest.raises(ValueError, match="must not be fitted for a backtest"):
        Partitioned(NaiveForecaster().fit(y)).backtest(y, 4)


def test_a_folder_is_read_part_by_part(y, folder, tmp_path):
    parts = Partitioned(NaiveForecaster(horizon=5), part_size=100)
    assert parts.predict(folder, output=tmp_path / "next") is None
    files = sorted((tmp_path / "next").glob("*.parquet"))
    assert len(files) == 7
    found = pd.concat([pd.read_parquet(file) for file in files])
    expected = NaiveForecaster(horizon=5).fit(y).predict()
    keys = ["unique_id", "ds"]
    pd.testing.assert_frame_equal(
        found.sort_values(keys, ignore_index=True),
        expected.sort_values(keys, ignore_index=True),
        check_dtype=False,
    )


def test_what_is_done_is_not_done_again(y, folder, tmp_path):
    parts, output = Partitioned(NaiveForecaster(horizon=5), part_size=100), tmp_path / "next"
    parts.predict(folder, output=output)
    files = sorted(output.glob("*.parquet"))
    files[3].unlink()
    before = [file.stat().st_mtime_ns for file in files if file.exists()]
    parts.predict(folder, output=output)
    assert files[3].exists()
    assert [file.stat().st_mtime_ns for file in files if file != files[3]] == before
    with pytest.raises(ValueError, match="other settings. Choose another folder"):
        parts.predict(folder, 6, output=output)


def test_models_that_differ_in_the_middle_share_no_folder(y, tmp_path):
    def parts(season_length):
        seasons = [2] * 8 + [season_length] + [2] * 8
        members = [NaiveForecaster(season_length=m, strategy="seasonal") for m in seasons]
        return Partitioned(CombinedForecaster(members, horizon=1))

    rows = y[y["unique_id"] == "shop 7"]
    parts(3).predict(rows, output=tmp_path / "by" / "shop")
    with pytest.raises(ValueError, match="holds forecasts of another model"):
        parts(4).predict(rows, output=tmp_path / "by" / "shop")


def test_functions_without_a_name_are_told_apart_in_one_process(y, tmp_path):
    double = FunctionTransformer(lambda x: 2 * x, inverse_func=lambda x: x / 2)
    parts = Partitioned(NaiveForecaster(target_transform=double))
    rows = y[y["unique_id"] == "shop 7"]
    for _ in range(2):
        parts.predict(rows, 1, output=tmp_path / "out")


class Fragile(NaiveForecaster):
    """Kills its process once, if a series has the name of a file; or fails at a series for good."""

    tries = 0

    def _fit(self, panel):
        if "shop 7" in panel.ids and self.season_length > 1:
            Fragile.tries += 1
            raise (RuntimeError, ValueError)[self.season_length - 2]("no forecast of shop 7.")
        for one in map(Path, panel.ids):
            if one.is_absolute() and one.exists():
                one.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        super()._fit(panel)


@pytest.mark.slow
def test_a_killed_worker_costs_a_retry_and_no_series(y, tmp_path):
    (once := tmp_path / "once").touch()
    rows = y.replace({"unique_id": {"shop 7": str(once)}})
    found = Partitioned(Fragile(horizon=5), n_jobs=2, part_size=100).predict(rows)
    assert not once.exists()
    pd.testing.assert_frame_equal(found, NaiveForecaster(horizon=5).fit(rows).predict())


@pytest.mark.parametrize(("season_length", "tries"), [(2, 3), (3, 1)], ids=["failed", "refused"])
def test_a_part_that_fails_is_named_and_nothing_else_is_lost(y, season_length, tries):
    Fragile.tries = 0
    model = Fragile(horizon=5, season_length=season_length)
    with pytest.raises(
        PartsFailed, match=r"1 of 7 parts failed, .*no forecast of shop 7\. All"
    ) as e:
        Partitioned(model, part_size=100).predict(y)
    lost = set(y["unique_id"]) - set(e.value.finished["unique_id"])
    assert "shop 7" in lost and len(lost) < N / 3 and len(e.value.failed) == 1
    assert Fragile.tries == tries


def test_an_engine_that_does_not_work_is_quoted(y, monkeypatch):
    def stopped(self):
        raise OSError("there is no python3")

    monkeypatch.setattr(Partitioned, "_parallel", stopped)
    with pytest.raises(PartsFailed, match="7 of 7.*lost, OSError: there is no python3"):
        Partitioned(NaiveForecaster(horizon=5), part_size=100).predict(y)


def test_several_columns_name_a_series(y, tmp_path):
    rows = y.assign(region=y["unique_id"].str[-1], shop=y["unique_id"].str[:-1])
    rows = rows[["region", "shop", "ds", "y"]]
    model = NaiveForecaster(horizon=2, id_col=["region", "shop"])
    (tmp_path / "data").mkdir()
    rows.to_parquet(tmp_path / "data" / "rows.parquet", index=False)
    Partitioned(model, part_size=100).predict(tmp_path / "data", output=tmp_path / "next")
    found = pd.concat(pd.read_parquet(f) for f in (tmp_path / "next").glob("*.parquet"))
    table = Partitioned(model, part_size=100).predict(rows)
    keys = ["region", "shop", "ds"]
    pd.testing.assert_frame_equal(
        found.sort_values(keys, ignore_index=True),
        table.sort_values(keys, ignore_index=True),
        check_dtype=False,
    )
    pd.testing.assert_frame_equal(table, model.fit(rows).predict())
    pd.testing.assert_frame_equal(table, Partitioned(model).predict(rows.assign(price=1.0)))


def test_what_cannot_be_divided_is_refused(y, tmp_path):
    parts = Partitioned(NaiveForecaster(horizon=2))
    with pytest.raises(ValueError, match="must be a long frame with the columns unique_id, ds"):
        parts.predict(y.rename(columns={"unique_id": "shop"}))
    with pytest.raises(ValueError, match="must have a row to be divided"):
        parts.predict(y[:0])
    with pytest.raises(FileNotFoundError, match="folder with parquet files"):
        parts.predict(tmp_path)
    with pytest.raises(ValueError, match="`horizon` must be given"):
        Partitioned(NaiveForecaster()).predict(y)
    with pytest.raises(ValueError, match=r"`levels` must be a number in \(0, 1\), got 3"):
        parts.predict(y, levels=[3])
    with pytest.raises(TypeError, match="`forecaster` must be a forecaster of this package"):
        Partitioned(NaiveForecaster)
    X = y.drop(columns="y").assign(price=1.0)
    with pytest.raises(ValueError, match=r"must read no covariates.* fitted with \['price'\]"):
        Partitioned(NaiveForecaster().fit(y, X))
    y.rename(columns={"y": "sales"}).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match="'y' is missing"):
        parts.predict(tmp_path)


COUNTING = """
import os, signal, sys
from forecast import NaiveForecaster, Partitioned

data, output, log, parts_before_the_end = sys.argv[1:]

class Counting(NaiveForecaster):
    '''Notes down every part that it learns; kills the whole run at one of them.'''

    left = int(parts_before_the_end)

    def _fit(self, panel):
        with open(log, "a") as file:
            print(len(panel.ids), file=file)
        if Counting.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        Counting.left -= 1
        super()._fit(panel)

Partitioned(Counting(horizon=5), part_size=100).predict(data, output=output)
"""


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_does_nothing_twice(y, folder, tmp_path):
    output, log = tmp_path / "next", tmp_path / "log"
    for parts, code in [(3, -signal.SIGKILL), (100, 0)]:
        command = [sys.executable, "-c", COUNTING, folder, output, log, str(parts)]
        assert subprocess.run(command).returncode == code
        finished = sorted(output.glob("*.parquet"))
        assert len(finished) == min(parts, 7)
        assert (output / "_parts").exists() == (code != 0)
    learned = [int(line) for line in log.read_text().splitlines()]
    assert sum(learned) == N + learned[3] and len(learned) == 7 + 1  # the one it was killed at
    found = pd.read_parquet(output)
    assert found["unique_id"].value_counts().eq(5).all() and found["unique_id"].nunique() == N
