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
