"""Draw generated series beside real ones: `python -m pretraining.picture`.

A prior is judged by eye first: what it draws should look as what it has never seen. The real ones
come from statsmodels and the bundled sets; they, too, are only looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from forecast import load_dataset
from forecast.generated.frequencies import Seasons
from forecast.generated.series import draw_series

Floats = NDArray[np.float64]
PLACE = Path(__file__).parents[1] / "docs" / "images" / "generated.png"
DRAWN, MANY = 5, 60  # generated series in a row, and those that they are chosen from
FEW = 0.3  # distinct values per value of small counts


def real() -> list[tuple[str, Floats, int, int]]:
    """Return a title, values, season and second season of one series a row."""
    macro, co2 = load_dataset("macrodata"), load_dataset("co2")
    return [
        ("years: nile", load_dataset("nile").to_numpy(float), 1, 0),
        ("quarters: investment", macro["realinv"].to_numpy(float)[-100:], 4, 0),
        ("months: elnino", load_dataset("elnino").to_numpy(float)[-144:], 12, 0),
        ("weeks: co2", co2.to_numpy(float)[-260:], 52, 0),
        ("days: museum visitors", load_dataset("museum_visitors").to_numpy(float)[-140:], 7, 0),
        ("hours: office power", load_dataset("office_power").to_numpy(float)[-504:], 24, 168),
        ("counts: a spare part", _part(), 12, 0),
    ]


def _part() -> Floats:
    parts = load_dataset("spare_parts")
    return parts.loc[parts["unique_id"] == "part01", "y"].to_numpy(float)


def draw() -> Figure:
    """Draw a row a frequency: a real series first, generated ones of its length beside it."""
    rows = real()
    figure, axes = plt.subplots(len(rows), 1 + DRAWN, figsize=(12, 1.1 * len(rows)))
    for k, (beside, (title, values, season, second)) in enumerate(zip(axes, rows, strict=True)):
        _show(beside[0], values, "black")
        beside[0].set_title(title, fontsize=8)
        asked = Seasons(np.full(MANY, season), np.full(MANY, second))
        drawn = draw_series([8, k], MANY, len(values), asked).values
        # small counts beside small counts
        alike = [one for one in drawn if (_distinct(one) < FEW) == (_distinct(values) < FEW)]
        for axis, one in zip(beside[1:], alike, strict=False):
            _show(axis, one, "tab:blue")
    figure.tight_layout()
    return figure


def _distinct(values: Floats) -> float:
    """Return the number of distinct values per observed value."""
    observed = values[np.isfinite(values)]
    return len(np.unique(observed)) / len(observed)


def _show(axis: Axes, values: Floats, colour: str) -> None:
    axis.plot(values, color=colour, linewidth=0.7)
    axis.set(xticks=[], yticks=[])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=PLACE)
    mpl.use("Agg")
    draw().savefig(parser.parse_args().to, dpi=80, pil_kwargs={"optimize": True})
