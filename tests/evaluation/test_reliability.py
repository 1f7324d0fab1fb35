"""Reliability: shares below quantiles are those of a known distribution."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from forecast.evaluation.reliability import (
    pit_histogram,
    plot_pit,
    plot_reliability,
    reliability,
)

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)


def table(widths: dict[str, float], size: int = 20_000) -> pd.DataFrame:
    """Return forecasts of standard normal values with bands of these widths."""
    y = np.random.default_rng(0).normal(size=size)
    parts = [
        pd.DataFrame(
            {"model": model, "step": np.arange(size) % 3, "y": y}
            | {f"q{level}": width * norm.ppf(level) for level in LEVELS}
        )
        for model, width in widths.items()
    ]
    return pd.concat(parts, ignore_index=True)


def test_shares_are_those_of_the_distribution() -> None:
    found = reliability(table({"right": 1.0, "narrow": 0.5}))
    np.testing.assert_allclose(found.loc["right"], LEVELS, atol=0.015)
    np.testing.assert_allclose(found.loc["narrow"], norm.cdf(0.5 * norm.ppf(LEVELS)), atol=0.015)
    assert reliability(table({"right": 1.0}), by="step").shape == (3, 5)
    at = pd.DataFrame({"model": "m", "y": [1.0, 2.0], "q0.5": 1.0})
    assert reliability(at).loc["m", 0.5] == 0.5


def test_the_histogram_is_flat_for_the_truth_and_high_at_the_ends_for_the_too_sure() -> None:
    found = pit_histogram(table({"right": 1.0, "narrow": 0.5, "wide": 2.0}))
    assert found.columns.tolist() == [*LEVELS, 1.0]
    np.testing.assert_allclose(found.loc["right"], 1, atol=0.1)
    assert found.loc["narrow"].iloc[[0, -1]].min() > 2
    assert found.loc["wide"].iloc[[0, -1]].max() < 0.3


def test_missing_values_are_not_judged_and_tables_without_quantiles_are_refused() -> None:
    known = table({"m": 1.0}, 100)
    unknown = pd.concat([known, known.assign(y=np.nan)])
    pd.testing.assert_frame_equal(reliability(unknown), reliability(known))
    with pytest.raises(ValueError, match="`table` must have quantiles"):
        reliability(known[["model", "y"]])


def test_a_model_without_quantiles_has_no_share_and_no_line() -> None:
    known = table({"m": 1.0}, 100)
    both = pd.concat([known, known[["model", "step", "y"]].assign(model="point")])
    assert reliability(both).loc["point"].isna().all()
    assert pit_histogram(both).loc["point"].isna().all()
    assert len(plot_reliability(both).get_lines()) == 2
    assert len(plot_pit(both).get_lines()) == 2
    with pytest.raises(ValueError, match="must have quantiles, such as"):
        plot_reliability(both[both["model"] == "point"])
    few = both.assign(**{"q0.5": both["q0.5"].where(both["model"] == "point")})
    assert len(plot_reliability(few).get_lines()[1].get_xdata()) == len(LEVELS) - 1


def test_a_model_has_its_colour_beside_one_without_quantiles() -> None:
    known = table({"m": 1.0}, 100)
    both = pd.concat([known[["model", "step", "y"]].assign(model="point"), known])
    other = pd.concat([known.assign(model="point"), known])
    for draw in (plot_reliability, plot_pit):
        lines = [draw(one).get_lines()[-1].get_color() for one in (both, other)]
        assert lines[0] == lines[1]


def test_the_picture_has_a_line_for_each_model_and_the_diagonal() -> None:
    ax = plot_reliability(table({"a": 1.0, "b": 0.5}, 500))
    assert len(ax.get_lines()) == 3
    np.testing.assert_allclose(ax.get_lines()[1].get_xdata(), LEVELS)


def test_the_picture_of_the_histogram_has_its_heights_and_a_line_at_one() -> None:
    both = table({"right": 1.0, "narrow": 0.5}, 500)
    ax = plot_pit(both)
    for drawn, heights in zip(ax.lines[1:], pit_histogram(both).to_numpy(), strict=True):
        np.testing.assert_allclose(drawn.get_xdata(), [0, *LEVELS, 1])
        np.testing.assert_allclose(drawn.get_ydata()[1:], heights)
    assert list(ax.lines[0].get_ydata()) == [1, 1] and ax.get_ylim()[0] == 0
