"""The command line: parses and delegates. What takes time to import waits until a command runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast.cli import options
from forecast.cli.screen import Sentences, note, say, show, to_a_person, working

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    name="forecast",
    cls=Sentences,
    help="Forecast time series with recurrent networks, and see whether they beat naive.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _examples(*commands: str) -> str:
    lines = [f"  [cyan]forecast {command}[/cyan]" for command in commands]
    return "\n\n".join(["[bold]Examples[/bold]", *lines])


def _version(wanted: bool) -> None:
    if wanted:
        from forecast import __version__

        typer.echo(f"forecast {__version__}")
        raise typer.Exit


@app.callback(
    epilog=_examples(
        "compare elnino",
        "predict sales.csv --horizon 12 --coverage 0.8 --plot next.png",
    )
)
def _main(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    pass


@app.command(
    epilog=_examples(
        "compare elnino --plot contest.png",
        "compare sales.csv --horizon 12 --report sales.html",
        "compare sales.csv --models ets,theta,lstm --windows 8 --refit 1",
    )
)
@options.grouped
def compare(
    *,
    data: options.Data,
    horizon: options.Horizon = None,
    models: options.Models = None,
    metrics: options.Metrics = None,
    origins: options.Origins,
    random_state: options.RandomState = 0,
    how: options.Reading,
    report: options.Report = None,
    output: options.Output = None,
    plot: options.Plot = None,
    series: options.Series = None,
) -> None:
    """Hold the contest: every model against the naive forecasts; print table and verdict."""
    chosen = options.model_names(models)
    from forecast.cli.work import formats, read
    from forecast.contest.compare import SCORES
    from forecast.contest.compare import compare as hold
    from forecast.forecasters.registry import NAIVE, SPELLINGS

    y, X = read(data, how)
    wanted = None
    if chosen is not None:  # naive forecasts take part in any case
        rivals = [SPELLINGS[name] for name in chosen if SPELLINGS[name].label not in NAIVE]
        wanted = {one.label: one.build(random_state) for one in rivals}
    comparison = hold(
        y,
        horizon,
        X=X,
        models=wanted,
        **origins.arguments,
        metrics=options.names(metrics) or SCORES,
        season_length=how.season_length,
        freq=options.frequency(how.freq),
        random_state=random_state,
        verbose=1,
    )
    styles = dict.fromkeys(NAIVE, "dim") | {comparison.winner: "bold green"}
    show(comparison.table, formats=formats(comparison.table), styles=styles)
    say(comparison.verdict)
    if output is not None:
        _write(comparison.table.reset_index(), output)
    if plot is not None:
        chosen_series = _series(comparison.panel, series)
        _draw(lambda: comparison.plot(series=chosen_series)[0], plot)
    if report is not None:
        comparison.report(report, title=f"Forecasting {Path(data).stem}")
        note(f"the report is in {report}.")


@app.command(
    epilog=_examples(
        "fit sales.csv --model lstm --horizon 12 --model-file sales.model",
        "fit sales.csv --model lstm --set hidden_size=64 --model-file sales.model",
        "fit events.csv --model symbols --model-file events.model",
    )
)
@options.grouped
def fit(
    *,
    data: options.Data,
    choice: options.Choice,
    horizon: options.Horizon = None,
    random_state: options.RandomState = 0,
    how: options.Reading,
    save_to: options.SaveTo,
) -> None:
    """Fit a model to all data and save it for `forecast predict`."""
    from forecast.cli.sequences import fitted_to_units, of_sequences
    from forecast.cli.work import fitted, make, of_symbols, read
    from forecast.engine.ranks import is_first

    model = make(choice, how, horizon=horizon, random_state=random_state)
    if of_sequences(model):
        fitted_to_units(model, data, how)
    else:
        fitted(model, *read(data, how, symbols=of_symbols(model)))
    if is_first():  # of the processes that torchrun started
        model.save(save_to)
        note(f"the model is in {save_to}; next: forecast predict --model-file {save_to}")


@app.command(
    epilog=_examples(
        "predict sales.csv --horizon 12 --quantiles 0.1,0.5,0.9 --output next.csv",
        "predict sales.csv --model theta --coverage 0.8 --plot next.png",
        "predict --model-file sales.model --horizon 12",
        "predict newer-sales.csv --model-file sales.model > next.csv",
        "predict sales/ --horizon 12 --output next/ --jobs 4",
    )
)
@options.grouped
def predict(
    *,
    data: Annotated[
        str | None,
        typer.Argument(
            help="A CSV or parquet file, - for standard input, a folder of parquet files, or the "
            "name of a data set; with --model-file what came since, if anything.",
            metavar="DATA",
        ),
    ] = None,
    choice: options.Choice,
    model_file: options.ModelFile = None,
    horizon: options.Horizon = None,
    random_state: options.RandomState = 0,
    how: options.Reading,
    quantiles: options.Quantiles = None,
    coverage: options.Coverage = None,
    paths: options.Paths = 0,
    output: options.Output = None,
    plot: options.Plot = None,
    series: options.Series = None,
    jobs: options.Jobs = 1,
) -> None:
    """Forecast what comes next; print it as CSV, or as a table on a terminal."""
    levels = options.levels(quantiles)
    if model_file is None:
        options.forecasting(choice.model)
    else:
        options.as_saved(choice, how)
    if data is not None and Path(data).is_dir():
        why = "this is for one file, not for a folder."
        options.without(why, coverage=coverage, paths=paths, plot=plot, X=how.X)
        from forecast.cli.work import forecast_folder, made_for_parts

        model = made_for_parts(model_file, choice, how, random_state)
        forecast_folder(model, Path(data), horizon, levels, output, jobs)
        return
    if data is None and model_file is None:
        raise typer.BadParameter("give DATA, or --model-file FILE of a model that was saved.")
    from forecast.cli.sequences import answered, of_sequences
    from forecast.cli.work import fitted, make, of_symbols, read, tabulate, updated
    from forecast.forecasters.loading import load

    if model_file is not None:
        model = load(model_file)
        if of_sequences(model):
            why = f"{type(model).__name__} answers for sequences and forecasts nothing."
            options.without(
                why, horizon=horizon, quantiles=levels, coverage=coverage, paths=paths, plot=plot
            )
            _write(answered(model, data, how), output)
            return
        model, X = updated(model, data, how)
    else:
        model = make(choice, how, horizon=horizon, random_state=random_state)
        y, X = read(str(data), how, symbols=of_symbols(model))
        model = fitted(model, y, X)
    with working("forecasting"):
        table = tabulate(
            model, horizon, X, quantiles=levels, coverage=coverage, paths=paths,
            random_state=random_state,
        )  # fmt: skip
    _write(table, output)
    if plot is not None:
        chosen = _series(model.panel_, series)
        band: dict[str, Any] = {} if coverage is None else {"coverage": coverage}
        _draw(lambda: model.plot(horizon, X, series=chosen, **band), plot)


@app.command(
    epilog=_examples(
        "backtest sales.csv --model lstm --horizon 12 --windows 8",
        "backtest sales.csv --model ets --refit 1 --output forecasts.csv --plot error.png",
    )
)
@options.grouped
def backtest(
    *,
    data: options.Data,
    choice: options.Choice,
    horizon: options.Horizon = None,
    origins: options.Origins,
    random_state: options.RandomState = 0,
    how: options.Reading,
    quantiles: options.Quantiles = "0.1,0.25,0.5,0.75,0.9",
    metrics: options.Metrics = None,
    output: options.Output = None,
    plot: options.Plot = None,
) -> None:
    """Forecast from past origins with one model; print its errors at each, and in all."""
    levels = options.levels(quantiles)
    asked = options.names(metrics)
    options.contestant(choice.model)
    from forecast.cli.work import backtested, formats, make, read, scores_by_origin
    from forecast.evaluation.registry import n_paths_of

    y, X = read(data, how)
    model = make(choice, how, horizon=horizon, random_state=random_state)
    wanted = {"quantiles": levels, "n_paths": n_paths_of(asked)}
    table, panel, season = backtested(model, y, X, horizon, origins.arguments, **wanted)
    table = table.assign(model=choice.model)
    scores = scores_by_origin(table, panel, season, asked)
    show(scores, formats=formats(scores), styles={"all": "bold"})
    if output is not None:
        _write(table, output)
    if plot is not None:
        from forecast.evaluation.plots import plot_error_by_step

        draw = partial(plot_error_by_step, table, *asked[:1], unit=y.attrs.get("unit"))
        _draw(lambda: draw(history=panel, season_length=season), plot)


@app.command(
    epilog=_examples(
        "watch sensor.csv --model ets",
        "watch sensor.csv --last 200 --wait 0 --false-alarms 0.001",
    )
)
@options.grouped
def watch(
    *,
    data: options.Data,
    choice: options.Choice,
    false_alarms: options.FalseAlarms = 0.01,
    last: options.Last = 0,
    wait: options.Wait = None,
    random_state: options.RandomState = 0,
    how: options.Reading,
) -> None:
    """Watch a file grow: print each new value as CSV, with its forecast and how odd it is."""
    import csv
    import sys
    from dataclasses import fields

    from forecast.cli.following import appended, line, watched, without_last
    from forecast.cli.work import fitted, make, read
    from forecast.evaluation.watching import Watched

    options.contestant(choice.model)
    options.growing(data)
    y, X = read(data, how)
    history = without_last(y, last)
    model = fitted(make(choice, how, horizon=1, random_state=random_state), history, X)
    after = history.index.get_level_values(-1).max()
    write = csv.writer(sys.stdout, lineterminator="\n").writerow
    write([one.name for one in fields(Watched)])
    for seen in watched(model, appended(data, how, after, wait), false_alarms=false_alarms):
        write(line(seen))
        sys.stdout.flush()


@app.command(epilog=_examples("datasets", "compare nile"))
def datasets() -> None:
    """List the data sets that can be named in place of a file."""
    from forecast.data.datasets import catalogue

    show(catalogue()[["what", "freq", "season_length", "horizon"]])


@app.command(epilog=_examples("metrics", "compare elnino --metrics rmsse,crps,coverage0.8"))
def metrics() -> None:
    """List the scores that `compare` and `backtest` can print, and what they say."""
    from forecast.cli.work import listed_metrics

    show(listed_metrics())


def _write(table: pd.DataFrame, path: Path | None) -> None:
    """Write a table to a file, else to stdout: as CSV, but to a person as a table."""
    import sys

    from forecast.data.files import write_file

    if path is not None:
        write_file(table, path)
        note(f"{len(table)} rows are in {path}.")
    elif to_a_person():
        show(table)
    else:
        write_file(table, sys.stdout)


def _draw(draw: Any, path: Path) -> None:
    import io

    import matplotlib

    from forecast.data.writing import replace_file

    matplotlib.use("Agg")
    picture = io.BytesIO()
    draw().figure.savefig(picture, dpi=150, format=path.suffix[1:] or "png")
    replace_file(path, picture.getvalue())
    note(f"the figure is in {path}.")


def _series(panel: Any, series: str | None) -> Any:
    """Return the id that a user means: it may be no text."""
    return {str(one): one for one in panel.ids}.get(str(series), series)
