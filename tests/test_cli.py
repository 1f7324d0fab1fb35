"""The command line: what it prints, writes and refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import forecast.contest
from forecast.cli import app
from forecast.contest import compare
from forecast.forecasters.markov import MarkovForecaster


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let the contest be held among quick models; return what it was asked for."""
    calls: list[Any] = []

    def quick(y: Any, horizon: Any = None, **options: Any) -> Any:
        calls.append((y, horizon, options))
        return compare(y, horizon, models={"Markov": MarkovForecaster()}, **options)

    monkeypatch.setattr(forecast.contest, "compare", quick)
    return calls


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "120"})
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def test_compare_prints_table_and_verdict_and_draws(asked: list[Any], tmp_path: Path) -> None:
    picture = tmp_path / "contest.png"
    shown = run("compare", "nile", "--horizon", "5", "--windows", "2", "--plot", str(picture))
    y, horizon, options = asked[0]
    assert (horizon, options["n_windows"], len(y)) == (5, 2, 100)
    assert "Markov" in shown and "mase" in shown and "skill" in shown
    assert "5 steps ahead, 2 origins" in shown.replace("\n", " ")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_compare_reads_a_file(asked: list[Any], tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=60, freq="D", name="day")
    y = pd.Series(np.sin(np.arange(60.0)), days, name="load")
    y.to_csv(tmp_path / "load.csv")
    run("compare", str(tmp_path / "load.csv"))
    read, horizon, _ = asked[0]
    assert horizon is None
    pd.testing.assert_series_equal(read, y, check_freq=False)


def test_compare_reads_whole_numbers_as_times(asked: list[Any], tmp_path: Path) -> None:
    pd.Series(np.arange(40.0) ** 2, name="y").to_csv(tmp_path / "y.csv", index_label="t")
    run("compare", str(tmp_path / "y.csv"), "--horizon", "3")
    assert asked[0][0].index.tolist() == list(range(40))


def test_an_unknown_name_lists_the_known_ones() -> None:
    result = CliRunner().invoke(app, ["compare", "nil"])
    assert result.exit_code != 0
    assert "'nile'" in str(result.exception) + result.output


def test_datasets_are_listed() -> None:
    shown = run("datasets")
    assert "nile" in shown and "co2" in shown and "horizon" in shown


def test_help_names_the_commands() -> None:
    shown = run("--help")
    assert "compare" in shown and "datasets" in shown


def test_python_m_forecast_is_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "forecast", "--help"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        timeout=60,
    )
    assert done.returncode == 0 and "compare" in done.stdout
