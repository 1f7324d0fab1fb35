"""Every notebook runs in a fresh kernel; its own assertions hold the direction of what it says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def executed(name):
    """Run a notebook and return what its cells printed."""
    notebook = load_script().execute(NOTEBOOKS / name)
    return "".join(out.get("text", "") for out in outputs_of(notebook))


def load_script():
    """Return `notebooks/execute.py`."""
    spec = importlib.util.spec_from_file_location("execute", NOTEBOOKS / "execute.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def outputs_of(notebook):
    return [out for cell in notebook.cells for out in cell.get("outputs", [])]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_committed_outputs_are_those_of_the_code(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata["code_hash"] == load_script().hash_of(notebook), "make notebooks"
    pictures = [
        out.data["image/png"] for out in outputs_of(notebook) if "image/png" in out.get("data", {})
    ]
    assert pictures
    assert max(len(picture) * 3 / 4 for picture in pictures) <= 200_000  # bytes
    texts = str([out for out in outputs_of(notebook) if "image/png" not in out.get("data", {})])
    assert str(Path.home()) not in texts and str(NOTEBOOKS.parent) not in texts
    assert ".ipynb_checkpoints" not in texts and "/site-packages/" not in texts


@pytest.mark.slow
@pytest.mark.mission("M53")
def test_the_first_notebook_beats_last_year():
    printed = executed("00-start-here.ipynb")
    assert number(printed, "\nPretrainedForecaster") < 1 < number(printed, "\nNaiveForecaster")


@pytest.mark.slow
@pytest.mark.mission("M53")
def test_errors_of_a_window_depend_on_its_length():
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
@pytest.mark.mission("M02", "M03", "M04")
def test_a_state_solves_what_no_window_can():
    printed = executed("02-when-a-window-is-not-enough.ipynb")
    assert number(printed, "one unit of state:") == pytest.approx(1.0, abs=0.03)
    states = re.findall(r"recurrent: ([\d.]+)", printed)
    assert float(states[0]) > 0.99 and float(states[1]) == pytest.approx(0.4621, abs=0.01)


@pytest.mark.slow
@pytest.mark.mission("M11")
def test_backpropagation_by_hand_equals_autograd():
    printed = executed("03-backpropagation-through-time.ipynb")
    assert number(printed, "by hand, against autograd:") < 1e-12
    assert number(printed, "W as printed:") > 0.1


@pytest.mark.slow
@pytest.mark.mission("M15", "M16", "M17")
def test_gradients_explode_linearly_and_vanish_through_tanh():
    printed = executed("04-where-gradients-go.ipynb")
    assert number(printed, "linear, γ = 1.1: after 100 steps") == pytest.approx(1.378e4)
    assert number(printed, "tanh,   γ = 1.5: after 100 steps") < 1e-4


@pytest.mark.slow
@pytest.mark.mission("M26", "M28")
def test_an_lstm_writes_at_the_cue_and_keeps_it():
    printed = executed("05-does-an-lstm-remember.ipynb")
    assert number(printed, "written at filler") < 0.2 * number(printed, "written at the cue")
    assert number(printed, "error, forget gate shut once") > 0.7


@pytest.mark.slow
@pytest.mark.mission("M20")
def test_gain_from_depth_is_printed():
    printed = executed("06-does-depth-help.ipynb")
    assert "gain over one layer, at equal width:" in printed


@pytest.mark.slow
@pytest.mark.mission("M29", "M30", "M31", "M32", "M33", "M53")
def test_one_cell_has_five_shapes():
    printed = executed("07-one-cell-five-shapes.ipynb")
    assert min(number(printed, f"told {way}:") for way in ("initial_state", "every_step")) > 0.95
    assert number(printed, "cold start / mean of the panel:") < 0.9
    assert number(printed, "days from weeks:") > 0.9


@pytest.mark.slow
@pytest.mark.mission("M34", "M35")
def test_attention_opens_the_bottleneck_and_finds_a_season():
    printed = executed("08-what-is-attended.ipynb")
    assert number(printed, "one context / attention:") > 20
    assert number(printed, "attention on the same weekday:") > 0.8


@pytest.mark.slow
@pytest.mark.mission("M41", "M42")
def test_symbols_are_recovered_and_an_agreement_is_kept():
    printed = executed("09-words-states-and-intervals.ipynb")
    assert number(printed, "上学") == 0.45
    rows = re.findall(r"^(counts of 3|LSTM) +([\d.]+) +([\d.]+)", printed, re.MULTILINE)
    agreement = {name: float(right) for name, _, right in rows}
    assert agreement["LSTM"] > 0.95 and abs(agreement["counts of 3"] - 0.5) < 0.1


@pytest.mark.slow
@pytest.mark.mission("M48", "M53")
def test_pumps_are_warned_of_before_they_fail():
    printed = executed("10-early-warning.ipynb")
    assert number(printed, "LSTM at 2 %:") >= 16 and number(printed, "median lead") >= 10
    assert number(printed, "\nLSTM") > number(printed, "\nage") + 0.2  # average precision


@pytest.mark.slow
@pytest.mark.mission("M47")
def test_prices_are_compared_or_the_missing_data_is_named():
    printed = executed("11-is-an-lstm-a-must-for-prices.ipynb")
    assert "set FORECAST_DATA" in printed or "of 16 comparisons" in printed


@pytest.mark.slow
def test_a_network_taught_beforehand_tells_a_new_level_from_an_outlier():
    printed = executed("12-what-a-network-knows-beforehand.ipynb")
    rows = re.findall(r"^(\d+) +(-?[\d.]+) +(-?[\d.]+)$", printed, re.MULTILINE)
    outlier, level = {}, {}
    for step, *shares in rows[:8]:
        outlier[int(step)], level[int(step)] = map(float, shares)
    assert outlier[1] == level[1] < 0.6
    assert outlier[5] < 0.3 and level[5] > 0.6


@pytest.mark.slow
@pytest.mark.mission("M53")
def test_nobody_wins_the_contest_everywhere():
    printed = executed("13-the-contest.ipynb")
    assert number(printed, "; best on") < 8
    rows = re.findall(r"^(naive|ARIMA|LSTM) +([\d.]+) ", printed, re.MULTILINE)
    against = {name: float(ratio) for name, ratio in rows}
    assert against["naive"] == 1 and max(against["ARIMA"], against["LSTM"]) < 0.7
