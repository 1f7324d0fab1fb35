from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from forecast.inspection.plots import (
    plot_forecast_gradients,
    plot_gates,
    plot_memory,
    plot_state_gradients,
    plot_states,
)

HOURS = pd.date_range("2024-01-01", periods=96, freq="h")


@pytest.fixture(autouse=True)
def settings_stay():
    before = mpl.rcParams.copy()
    yield
    assert mpl.rcParams == before


def drawn(ax):
    ax.figure.canvas.draw()
    return {line.get_label(): list(line.get_ydata()) for line in ax.lines}


@pytest.mark.mission("M53")
def test_memory_marks_where_it_ends():
    lags = pd.RangeIndex(1, 49, name="lag")
    relative = pd.DataFrame({"short": np.where(lags > 3, 0, 1 / lags), "long": 0.9 ** (lags - 1)})
    relative.index = lags
    table = pd.DataFrame({"memory": [3, 44], "time": ["3 steps", "44 steps"]}, ["short", "long"])
    axes = plot_memory(relative, table, 0.01, HOURS)
    for ax, name in zip(axes, relative, strict=True):
        drawn(ax)
        threshold, end = ax.lines
        assert set(threshold.get_ydata()) == {0.01}
        assert set(end.get_xdata()) == {table.loc[name, "memory"] + 0.5}
        assert ax.get_title(loc="left") == f"{name}: {table.loc[name, 'time']}"
        shares = ax.collections[0].get_paths()[0].vertices[:, 1]
        assert set(np.round(relative[name].clip(lower=1e-6), 9)) <= set(np.round(shares, 9))
    assert axes[-1].get_xlabel() == "hours back"


@pytest.mark.mission("M53")
def test_state_gradients_are_drawn_with_their_bound():
    lags = pd.RangeIndex(0, 50, 10, name="lag")
    steps = np.arange(5)
    rnn = pd.DataFrame({"norm": 0.5**steps, "bound": 0.8**steps}, lags)
    lstm = pd.DataFrame({"norm": 0.9**steps, "bound": np.nan}, lags)
    _, given = plt.subplots()
    ax = plot_state_gradients({"RNN": rnn, "LSTM": lstm}, ax=given)
    assert ax is given and ax.get_yscale() == "log"
    lines = drawn(ax)
    assert lines["RNN"] == rnn["norm"].tolist() and lines["LSTM"] == lstm["norm"].tolist()
    assert lines[r"RNN, $\gamma^n$ with $\gamma$ = 0.8"] == rnn["bound"].tolist()
    assert len(ax.lines) == 3


@pytest.mark.mission("M53")
def test_forecast_gradients_are_drawn_by_lag():
    found = pd.DataFrame({1: [0.5, 0.2, -0.1], 12: [0.1, 0.0, 0.3]}, pd.RangeIndex(1, 4))
    lines = drawn(plot_forecast_gradients(found))
    assert lines["1 ahead"] == [0.5, 0.2, -0.1] and lines["12 ahead"] == [0.1, 0.0, 0.3]
    assert drawn(plot_forecast_gradients(found, tail=2))["1 ahead"] == [0.5, 0.2]


@pytest.mark.mission("M53")
def test_gates_lie_under_the_values_they_read():
    rng = np.random.default_rng(0)
    times = HOURS[23::24]
    parts = {
        part: pd.DataFrame(rng.random((4, 5)), times) for part in ("forget", "input", "output")
    }
    found = pd.concat(parts, axis=1, names=["part", "unit"])
    history = pd.Series(rng.random(96), HOURS, name="load")
    axes = plot_gates(found, history, unit="MW")
    assert drawn(axes[0])["value"] == history[23:].tolist()
    assert axes[0].get_ylabel() == "load (MW)" and axes[-1].get_xlabel() == "time (hourly)"
    order = found["forget"].mean().sort_values().index  # what keeps lies above
    for ax, part in zip(axes[1:], parts, strict=True):
        (image,) = ax.collections
        np.testing.assert_array_equal(image.get_array(), found[part][order].T)
        assert image.get_clim() == (0, 1) and ax.get_ylabel().startswith(part)


@pytest.mark.parametrize("cyclic", [False, True])
@pytest.mark.mission("M53")
def test_states_are_coloured_by_the_label(cyclic):
    rng = np.random.default_rng(0)
    found = pd.DataFrame(rng.standard_normal((96, 2)), HOURS, [1, 2])
    found.attrs["explained"] = [0.7, 0.2]
    label = pd.Series(HOURS.hour, HOURS, name="hour of the day")
    ax = plot_states(found, label, cyclic=cyclic)
    drawn(ax)
    (points,) = ax.collections
    np.testing.assert_array_equal(points.get_offsets(), found.to_numpy())
    np.testing.assert_array_equal(points.get_array(), HOURS.hour)
    assert ax.get_xlabel() == "component 1 (70% of the variance)"
    assert ax.figure.axes[-1].get_ylabel() == "hour of the day"
