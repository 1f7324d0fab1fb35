"""Every notebook runs in a fresh kernel; its own assertions hold the direction of what it says."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def executed(name):
    """Run a notebook and return what its cells printed."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "commit it without output"
    NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(NOTEBOOKS)}}
    ).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    return "".join(out.get("text", "") for out in outputs)


@pytest.mark.slow
def test_m53_what_a_window_sees():
    printed = executed("01-what-a-window-sees.ipynb")
    rows = re.findall(r"^(window of \d+) +([\d.]+ +[\d.]+ +[\d.]+ +[\d.]+)$", printed, re.MULTILINE)
    errors = {name: [float(number) for number in numbers.split()] for name, numbers in rows}
    assert errors["window of 4"][0] == pytest.approx(0.042, abs=0.003)
    assert errors["window of 4"][3] == pytest.approx(0.26, abs=0.03)
    assert errors["window of 64"][3] == pytest.approx(0.056, abs=0.006)


def number(printed, before):
    """Return the number that is printed after these words."""
    return float(re.search(rf"{before}[^\d\n+-]*([+-]?[\d.]+(?:e[+-]?\d+)?)", printed)[1])


@pytest.mark.slow
def test_m02_m03_m04_when_a_window_is_not_enough():
    printed = executed("02-when-a-window-is-not-enough.ipynb")
    assert number(printed, "one unit of state:") == pytest.approx(1.0, abs=0.03)
    states = re.findall(r"recurrent: ([\d.]+)", printed)
    assert float(states[0]) > 0.99 and float(states[1]) == pytest.approx(0.4621, abs=0.01)


@pytest.mark.slow
def test_m11_backpropagation_through_time():
    printed = executed("03-backpropagation-through-time.ipynb")
    assert number(printed, "by hand, against autograd:") < 1e-12
    assert number(printed, "W as printed:") > 0.1


@pytest.mark.slow
def test_m15_m16_m17_where_gradients_go():
    printed = executed("04-where-gradients-go.ipynb")
    assert number(printed, "linear, γ = 1.1: after 100 steps") == pytest.approx(1.378e4)
    assert number(printed, "tanh,   γ = 1.5: after 100 steps") < 1e-4


@pytest.mark.slow
def test_m26_m28_does_an_lstm_remember():
    printed = executed("05-does-an-lstm-remember.ipynb")
    assert number(printed, "written at filler") < 0.2 * number(printed, "written at the cue")
    assert number(printed, "error, forget gate shut once") > 0.7


@pytest.mark.slow
def test_m20_does_depth_help():
    printed = executed("06-does-depth-help.ipynb")
    assert "gain over one layer, at equal width:" in printed


@pytest.mark.slow
def test_m47_is_an_lstm_a_must_for_prices():
    printed = executed("11-is-an-lstm-a-must-for-prices.ipynb")
    assert "set FORECAST_DATA" in printed or "of 16 comparisons" in printed
