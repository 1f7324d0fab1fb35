"""`import forecast` is light, and every name it promises is there."""

from __future__ import annotations

import gc
import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import forecast

HEAVY = {"matplotlib", "pandas", "scipy", "sklearn", "statsmodels", "torch"}


def modules_after(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


@pytest.mark.parametrize("statement", ["import forecast", "import forecast; dir(forecast)"])
def test_import_loads_nothing_heavy(statement):
    loaded = modules_after(statement)

    assert "forecast" in loaded
    assert loaded & HEAVY == set()


def test_data_sets_load_without_torch():
    assert "torch" not in modules_after("from forecast import load_dataset")


def test_dir_lists_every_exported_name():
    assert set(forecast.__all__) <= set(dir(forecast))
    assert len(forecast.__all__) == len(set(forecast.__all__))


@pytest.mark.parametrize("name", getattr(forecast, "__all__", []))
def test_exported_name_resolves(name):
    assert getattr(forecast, name) is not None


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="LTSMForecaster"):
        _ = forecast.LTSMForecaster


def test_what_needs_no_network_loads_no_torch():
    statement = "from forecast import ARIMAForecaster, NaiveForecaster, backtest, load, stream"
    assert "torch" not in modules_after(statement)


def test_the_command_line_loads_its_tools_when_a_command_runs():
    assert modules_after("from forecast.cli import app") & HEAVY == set()


def test_a_forecast_without_training_waits_for_no_scores_of_scikit_learn():
    unwanted = {"matplotlib", "sklearn.linear_model", "sklearn.metrics", "statsmodels"}
    work = "from forecast import PretrainedForecaster; import forecast.cli.work"
    assert modules_after(f"{work}, forecast.cli.sequences") & unwanted == set()


@pytest.mark.parametrize("collecting", [True, False])
def test_loading_a_name_leaves_the_collector_of_garbage_as_it_was(monkeypatch, collecting):
    during = []

    def loaded(_):
        during.append(gc.isenabled())
        return SimpleNamespace(load="found")

    monkeypatch.setattr(importlib, "import_module", loaded)
    was = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        assert forecast.load == "found"
        assert gc.isenabled() == collecting
        with pytest.raises(AttributeError, match="watch"):
            _ = forecast.watch  # which is not there
        assert gc.isenabled() == collecting
    finally:
        (gc.enable if was else gc.disable)()
    assert during == [False, False]
