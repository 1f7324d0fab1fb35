from __future__ import annotations

import io
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib import pyplot as plt

from forecast.evaluation.canvas import dress
from forecast.evaluation.metrics import evaluate
from forecast.evaluation.plots import (
    plot_comparison,
    plot_error_by_step,
    plot_forecast,
    plot_steps,
    plot_training,
    plot_weights,
)
from tests.evaluation.toys import history, table

DAYS = pd.date_range("2024-01-01", periods=100, name="day")
PAST = pd.Series(np.arange(90.0), DAYS[:90], name="load")
AHEAD = pd.Series(np.arange(10.0) + 90, DAYS[90:])
DECILES = pd.DataFrame({level: AHEAD + level for level in (0.1, 0.25, 0.5, 0.75, 0.9)})


@pytest.fixture(autouse=True)
def settings_stay():
    before = mpl.rcParams.copy()
    yield
    assert mpl.rcParams == before


def drawn(ax):
    for figure in map(plt.figure, plt.get_fignums()):
        figure.canvas.draw()
    return {line.get_label(): list(line.get_ydata()) for line in ax.lines}


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def texts(ax):
    """Return the texts of a figure as its SVG shows them."""
    file = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        ax.figure.savefig(file, format="svg")
    tree = ElementTree.fromstring(file.getvalue().decode())
    return [text.text for text in tree.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (r"$\frac{1}{$", r"$\frac{1}{$"),
        pytest.param("$a$ and $b$", "$a$ and $b$", marks=pytest.mark.slow),
        (r"5\$ \alpha_1^2", r"5\$ \alpha_1^2"),
        ("a\x1b[31m\x00\n\ufffe", r"a\x1b[31m\x00\n\ufffe"),
        pytest.param("<b>&amp;", "<b>&amp;", marks=pytest.mark.slow),
        pytest.param("_hidden", "_hidden", marks=pytest.mark.slow),
    ],
)
def test_names_are_drawn_as_they_are(name, shown):
    ax = plot_forecast(PAST.rename(name), AHEAD, DECILES, unit=name)
    assert f"{shown} ({shown})" in texts(ax)
    frame = table(models=(name, "b"))
    assert texts(plot_error_by_step(frame, "mae")).count(shown) == 1
    axes = plot_comparison(frame, evaluate(frame, history(), 1), history())
    assert texts(axes[0]).count(shown) >= 1  # the bar; and the legend but for "_hidden"


@pytest.mark.mission("M53")
def test_lines_are_the_numbers():
    ax = plot_forecast(PAST, AHEAD, DECILES, AHEAD + 1, unit="MW")
    lines = drawn(ax)
    assert lines["forecast"] == AHEAD.tolist()
    assert lines["actual"] == PAST.tolist()[-40:]
    assert lines["_actual"] == (AHEAD + 1).tolist()
    assert labels(ax) == ["actual", "forecast", "80, 50 % band"]
    assert len(ax.collections) == 2
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (daily)", "load (MW)")


def test_a_value_between_missing_ones_is_seen():
    past = PAST.where(np.arange(len(PAST)) % 5 == 0)
    (line,) = (
        line for line in plot_forecast(past, AHEAD, DECILES).lines if line.get_label() == "history"
    )
    dots = np.array(line.get_markevery())
    assert line.get_marker() == "o" and np.isfinite(line.get_ydata()[dots]).all()
    assert len(dots) == np.isfinite(line.get_ydata()).sum()
    whole = plot_forecast(PAST, AHEAD, DECILES).lines[0]
    assert whole.get_marker() == "None"


def test_forecast_on_given_axes_with_an_interval_and_a_tail():
    PAST.attrs["unit"] = "MW"
    _, given = plt.subplots()
    bounds = pd.DataFrame({"lower": AHEAD - 1, "upper": AHEAD + 1})
    ax = plot_forecast(PAST, AHEAD, bounds, tail=7, label="LSTM", ax=given)
    assert ax is given
    assert drawn(ax)["history"] == PAST.tolist()[-7:]
    assert labels(ax) == ["history", "LSTM", "interval"]
    assert ax.get_ylabel() == "load (MW)"


@pytest.mark.parametrize(
    ("index", "xlabel"),
    [
        (pd.RangeIndex(100), "step"),
        (pd.period_range("2000-01", periods=100, freq="M"), "time (monthly)"),
        (pd.date_range("2024-01-01", periods=100, freq="h", tz="Asia/Tokyo"), "time (hourly)"),
        (pd.date_range("2024-01-01", periods=100, freq="30min"), "time (every 30 minutes)"),
        (pd.date_range("2024-01-01", periods=100, freq="B"), "time (business days)"),
        (pd.date_range("2000-01-01", periods=100, freq="QS"), "time (quarterly)"),
        (pd.date_range("1900-01-01", periods=100, freq="BYE"), "time (yearly)"),
        (pd.date_range("2024-01-01", periods=100, freq="bh"), "time"),
    ],
)
def test_every_kind_of_time(index, xlabel):
    values = pd.Series(np.arange(100.0), index)
    ax = plot_forecast(values[:99], values[99:])
    assert drawn(ax)["forecast"] == [99.0]
    assert ax.get_xlabel() == xlabel and ax.get_ylabel() == "value"


def test_one_series_at_a_time():
    with pytest.raises(TypeError, match="`history` must be one Series, got a DataFrame"):
        plot_forecast(PAST.to_frame(), AHEAD)


def test_error_by_step_draws_what_evaluate_says():
    frame = table()
    ax = plot_error_by_step(frame, "rmse", naive=["b"], unit="MW")
    scores = evaluate(frame, by=["model", "step"], metrics=["rmse"])["rmse"]
    drawn(ax)
    for line, model in zip(ax.lines, ["a", "b"], strict=True):
        assert list(line.get_ydata()) == scores[model].tolist()
    assert [text.get_text() for text in ax.texts] != [] and ax.get_ylim()[0] == 0
    assert ax.get_ylabel() == "root mean squared error (MW)"
    assert ax.get_xlabel() == "steps ahead"
    assert plot_error_by_step(frame, "mase", history=history(), season_length=1, ax=ax) is ax


def test_a_model_without_quantiles_has_no_line_of_what_they_are_worth():
    frame = table().assign(**{"q0.1": 0.0, "q0.9": 9.0})
    frame.loc[frame["model"] == "b", ["q0.1", "q0.9"]] = np.nan
    for metric in ("wql", "coverage"):
        assert [text.get_text() for text in plot_error_by_step(frame, metric).texts] == ["a"]


def test_error_by_step_without_any_score_says_what_is_missing():
    frame = table().assign(**{"q0.1": np.nan, "q0.9": np.nan})
    with pytest.raises(ValueError, match="got 'wql', which is missing for all: .* `quantiles`"):
        plot_error_by_step(frame, "wql")


def test_error_by_step_counts_in_the_unit_of_the_dates():
    months = pd.date_range("2024-01-01", periods=5, freq="MS")
    frame = table()
    frame["ds"] = months[frame["ds"] - frame["ds"].min()]
    assert plot_error_by_step(frame).get_xlabel() == "months ahead"


@pytest.mark.mission("M53")
def test_paths_are_the_sampled_futures():
    paths = pd.DataFrame({0: AHEAD + 1, 1: AHEAD - 2})
    ax = plot_forecast(PAST, AHEAD, paths=paths)
    lines = drawn(ax)
    assert lines["paths"] == (AHEAD + 1).tolist() and lines["_path"] == (AHEAD - 2).tolist()
    assert labels(ax) == ["history", "paths", "forecast"]


@pytest.mark.mission("M53")
def test_step_lines_are_the_forecasts_made_k_steps_before():
    frame = pd.concat([table(), table().assign(model="other", y_hat=0.0)])
    ax = plot_steps(frame, [2, 1], series="s1", unit="MW")
    rows = frame[(frame["model"] == "a") & (frame["unique_id"] == "s1")].sort_values("ds")
    lines = drawn(ax)
    for step in (1, 2):
        assert lines[f"{step} before"] == rows.loc[rows["step"] == step, "y_hat"].tolist()
    assert lines["actual"] == rows.drop_duplicates("ds")["y"].tolist()
    assert labels(ax) == ["actual", "2 before", "1 before"] and ax.get_ylabel() == "s1 (MW)"
    assert drawn(plot_steps(frame, [1], model="other"))["1 before"] == [0.0] * 2
    with pytest.raises(ValueError, match="`steps` must be one of 1, 2, 3, 4, got 9"):
        plot_steps(frame, [9])
    with pytest.raises(ValueError, match="`model` must be one of 'a', 'b', 'other', got 'LSTM'"):
        plot_steps(frame, model="LSTM")


def test_labels_of_crowded_lines_stay_apart():
    frame = table(models=tuple("abcdefgh")).assign(y_hat=1.0)
    ax = plot_error_by_step(frame)
    heights = sorted(text.xyann[1] for text in ax.texts)
    assert len(heights) == 8 and np.diff(heights).min() > 0.06


def test_comparison_shows_the_best_and_ranks_all():
    frame = table(models=("a", "b", "naive"))
    frame.loc[frame["model"] == "a", "y_hat"] += 50
    scores = evaluate(frame, history(), 1)
    left, right = plot_comparison(frame, scores, history(), naive=["naive"], best=2, series="s2")
    lines = drawn(left)
    shown = frame[(frame["unique_id"] == "s2")].set_index("model")
    assert set(lines) >= {"b", "naive"} and "a" not in lines
    assert lines["b"] == shown.loc["b", "y_hat"].tolist()
    assert left.get_ylabel() == "s2"
    ranked = scores["mase"].sort_values()
    assert [text.get_text() for text in right.get_yticklabels()] == ranked.index.tolist()
    assert right.get_xlabel() == "MASE (in-sample naive = 1)"
    polars = pl.from_pandas(frame)
    _, again = plot_comparison(polars, evaluate(polars, history(), 1), history(), naive=["naive"])
    assert [text.get_text() for text in again.get_yticklabels()] == ranked.index.tolist()
    with pytest.raises(ValueError, match="`metric` must be one of 'mae'"):
        plot_comparison(frame, scores, history(), metric="owa")
    with pytest.raises(ValueError, match=r"`series` must be one of \['s0', 's1', 's2'\], got 's9'"):
        plot_comparison(frame, scores, history(), series="s9")


@pytest.mark.mission("M53")
def test_training_lines_are_the_history():
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "training_loss": [0.9, 0.5, 0.4],
            "validation_loss": [0.8, 0.6, 0.7],
            "gradient_norm": [30.0, 2.0, 0.5],
        }
    )
    losses, norms = plot_training(history, clip_norm=1.0)
    lines = drawn(losses)
    assert lines["training"] == [0.9, 0.5, 0.4] and lines["validation"] == [0.8, 0.6, 0.7]
    assert lines["kept"] == [0.6]
    assert drawn(norms)["gradient norm"] == [30.0, 2.0, 0.5]
    assert drawn(norms)["clipped above"] == [1.0, 1.0]
    blind = history.assign(validation_loss=np.nan)
    assert list(drawn(plot_training(blind)[0])) == ["training"]


@pytest.mark.mission("M53")
def test_the_map_of_weights_shows_the_weights():
    rng = np.random.default_rng(0)
    gates = pd.DataFrame(rng.random((5, 30)), columns=pd.RangeIndex(100, 130, name="hour"))
    ax = plot_weights(gates, "forget gate")
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), gates)
    assert image.get_clim() == (0, 1)
    assert ax.get_xlabel() == "hour" and ax.get_ylabel() == "unit"
    ticks = zip(ax.get_xticks(), [text.get_text() for text in ax.get_xticklabels()], strict=True)
    assert all(str(gates.columns[int(place)]) == name for place, name in ticks)
    assert len({*np.diff(ax.get_xticks())}) == 1  # 1, 4, 7, not 1, 3, 6, 9
    assert len(ax.get_xticks()) <= 8
    with pytest.raises(ValueError, match=r"`weights` must lie between 0 and 1, got .* to 3"):
        plot_weights(3 * gates.round())


def test_labels_of_our_own_may_have_lines_and_formulas() -> None:
    _, ax = plt.subplots()
    dress(ax, "steps\n(hours)", r"gradient $\|s\|$")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("steps\n(hours)", r"gradient $\|s\|$")
