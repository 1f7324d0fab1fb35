"""Draw the figures of the pages, with the package's own functions: `make docs-figures`."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from five_shapes import five_shapes
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from sklearn.preprocessing import FunctionTransformer

from forecast import (
    ETSForecaster,
    MarkovForecaster,
    NaiveForecaster,
    PretrainedForecaster,
    SequenceClassifier,
    SymbolForecaster,
    backtest,
    compare,
    explain,
    load_dataset,
    what_if,
)
from forecast.evaluation.canvas import BLUE, PALE, VERMILLION, draw_line, dress
from forecast.evaluation.plots import plot_error_by_step, plot_forecast, plot_steps
from forecast.forecasters.registry import CONTESTANTS

IMAGES = Path(__file__).parent / "images"
NAIVE = ("naive", "seasonal naive", "drift")


def main() -> None:
    """Draw them all."""
    mpl.use("Agg")
    # the same picture must give the same file
    mpl.rcParams["svg.hashsalt"] = "forecast"
    pages = (
        five_shapes,
        first_forecast,
        fan,
        error_by_step,
        steps,
        transform,
        explaining,
        what_if_promoted,
        sequences,
        symbols,
    )
    for draw in (pretrained, contest, *pages):
        figure = draw()
        form = "svg" if draw in pages else "png"  # a README shows the others
        path = IMAGES / f"{draw.__name__.replace('_', '-')}.{form}"
        figure.savefig(path, dpi=150, metadata={"Date": None} if form == "svg" else None)
        plt.close(figure)
        print(path.relative_to(IMAGES.parents[1]))


def symbols() -> Figure:
    """Draw the events of a web shop and the probabilities of the next ones."""
    model = SymbolForecaster(hidden_size=16, context_length=30, max_epochs=8, random_state=0)
    return model.fit(load_dataset("shop_clicks")[:5500]).plot(6).figure


def pretrained() -> Figure:
    """Draw the front page: four series that the network sees for the first time."""
    figure, axes = plt.subplots(2, 2, figsize=(12, 7), layout="constrained")
    cases = {
        "co2": ("CO₂ in the air", 104),
        "office_power": ("power of an office", 120),
        "elnino": ("sea temperatures", 24),
        "nile": ("flow of the Nile", 20),
    }
    for ax, (name, (label, horizon)) in zip(axes.flat, cases.items(), strict=True):
        y = load_dataset(name).rename(label)
        past, future = y[:-horizon], y[-horizon:]
        model = PretrainedForecaster(horizon=horizon).fit(past)
        bands = model.predict_quantiles(horizon, levels=[0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
        plot_forecast(past, model.predict(horizon), bands, future, ax=ax)
    for ax in axes.flat[1:]:
        ax.get_legend().remove()
    return figure


def contest() -> Figure:
    """Draw the contest of `make demo`."""
    quick = ("pre-trained", "ETS", "Theta", "ARIMA", "Markov", "LSTM")
    models = {one.label: one.build(random_state=0) for one in CONTESTANTS if one.label in quick}
    return compare(load_dataset("elnino"), models=models).plot()[0].figure


def first_forecast() -> Figure:
    """Draw a year ahead with a band."""
    y = load_dataset("elnino").rename("temperature")
    return PretrainedForecaster(horizon=12).fit(y).plot(12, coverage=0.8).figure


def fan() -> Figure:
    """Draw quantiles as bands, and paths that run through them."""
    y = load_dataset("elnino")
    past, future = y[:"2008"], y["2009":]
    model = MarkovForecaster().fit(past)
    return plot_forecast(
        past,
        model.predict(24),
        model.predict_quantiles(24, levels=[0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]),
        future,
        paths=model.sample(24, n_samples=30, random_state=0),
        unit="°C",
    ).figure


def error_by_step() -> Figure:
    """Draw how errors grow with the months ahead."""
    models = {"Markov": MarkovForecaster(), "ETS": ETSForecaster()}
    table = compare(load_dataset("elnino"), horizon=12, models=models, n_windows=8).forecasts
    return plot_error_by_step(table, naive=NAIVE, unit="°C").figure


def steps() -> Figure:
    """Draw what a short window says of a noisy sine, 1 to 64 steps before."""
    y = load_dataset("noisy_sine")
    table = backtest(MarkovForecaster(order=4), y, 64, n_windows=100, step=3)
    return plot_steps(table).figure


def transform() -> Figure:
    """Draw a line through the past, and one through its logarithms."""
    gdp = load_dataset("macrodata")["realgdp"]
    past, future = gdp[:"1993"], gdp["1994":"1999"]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    log = FunctionTransformer(np.log, np.exp)
    for ax, transformer, label in zip(axes, (None, log), ("drift", "drift, log"), strict=True):
        model = NaiveForecaster(strategy="drift", target_transform=transformer).fit(past)
        bands = model.predict_quantiles(24, levels=[0.1, 0.5, 0.9])
        plot_forecast(past, model.predict(24), bands, future, tail=40, label=label, ax=ax)
    axes[0].set_ylabel("real GDP (billions of dollars)", fontsize=axes[0].yaxis.label.get_size())
    axes[1].set_ylabel("")
    return figure


def explaining() -> Figure:
    """Draw what the past, the price and promotions contribute to the sales of a shop."""
    sales = load_dataset("shop_sales")
    keys = ["unique_id", "ds"]
    past, X = sales[sales["ds"] < "2019-11"], sales[[*keys, "price", "promotion"]]
    model = MarkovForecaster(order=4, horizon=8).fit(past[[*keys, "y"]], X)
    return explain(model, 8, X, blocks=[1, 4]).plot("shop02")[0].figure


def what_if_promoted() -> Figure:
    """Draw the sales of a shop with and without a promotion."""
    sales = load_dataset("shop_sales").query("unique_id == 'shop02'").set_index("ds")[:"2019-10"]
    model = MarkovForecaster(order=4, horizon=8).fit(sales["y"], sales[["price", "promotion"]])
    base = model.future_frame(8).assign(price=5.0, promotion=0)
    promoted = base.assign(promotion=[0, 0, 1, 1, 0, 0, 0, 0])
    plans = what_if(model, {"base": base, "promotion": promoted}, coverage=0.8)
    return plans.plot()[0].figure


def sequences() -> Figure:
    """Draw a pump until it breaks, and the risk that is told day by day."""
    pumps = load_dataset("pump_failures")
    fails = pumps.groupby("unique_id").cumcount(ascending=False) < 30
    judged = pumps["unique_id"] == "pump02"
    model = SequenceClassifier(each_step=True, max_epochs=8, random_state=0)
    model.set_params(learning_rate=0.01).fit(pumps[~judged], fails[~judged])
    one = pumps[judged].set_index("ds")
    risk = model.predict_proba(pumps[judged])[True].set_axis(one.index)
    figure, axes = plt.subplots(2, 1, figsize=(9, 4.6), sharex=True, layout="constrained")
    draw_line(axes[0], one["y"], BLUE, "vibration")
    draw_line(axes[1], risk, VERMILLION, "risk")
    for ax in axes:
        ax.axvspan(one.index[-30], one.index[-1], color=PALE, alpha=0.5, lw=0)
    axes[0].text(one.index[-30], one["y"].max(), "last 30 days ", ha="right", va="top")
    dress(axes[0], "", "vibration (mm/s)")
    dress(axes[1], "day", "probability of a failure\nwithin 30 days")
    return figure


if __name__ == "__main__":
    main()
