"""The figure of symbols shows the numbers it was given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from forecast import NGramForecaster
from forecast.evaluation.symbols import plot_symbols

DAYS = pd.date_range("2024-01-01", periods=8)
HISTORY = pd.Series(["on", "off", None, "on", "off", "on"], DAYS[:6], name="state")
CHANCES = pd.DataFrame({"off": [0.9, 0.6], "on": [0.1, 0.4]}, DAYS[6:])


def test_history_and_probabilities_are_those_given() -> None:
    ax = plot_symbols(HISTORY, CHANCES, pd.Series(["off", "on"], DAYS[6:]))
    shades = ax.collections[0].get_array()
    assert shades is not None
    np.testing.assert_array_equal(np.ravel(shades), [0.9, 0.6, 0.1, 0.4])
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines["history"].get_ydata()) == [1, 0, 1, 0, 1]
    assert list(lines["most probable"].get_ydata()) == [0, 1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["off", "on"]
    plt.close("all")


def test_only_the_end_of_a_long_history_is_shown() -> None:
    long = pd.Series(["on", "off"] * 50, pd.date_range("2023", periods=100))
    later = CHANCES.set_index(pd.date_range("2023", periods=102)[100:])
    ax = plot_symbols(long, later, tail=7)
    assert len(ax.lines[1].get_xdata()) == 7
    plt.close("all")


def test_forecasters_draw_what_they_forecast() -> None:
    model = NGramForecaster(order=1).fit(HISTORY.dropna().reset_index(drop=True))
    shades = model.plot(2).collections[0].get_array()
    expected = model.predict_proba(2, random_state=0).to_numpy().T
    np.testing.assert_allclose(np.reshape(shades, expected.shape), expected)
    plt.close("all")
    with pytest.raises(TypeError, match="only symbols with times can be drawn"):
        NGramForecaster().fit([["a", "b"]]).plot()
