"""The command line: parses and delegates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="forecast",
    help="Forecast time series with recurrent networks, and see whether they beat naive.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def compare(
    data: Annotated[str, typer.Argument(help="A data set's name, or a CSV file: time, value.")],
    horizon: Annotated[int | None, typer.Option(help="Steps ahead; default one season.")] = None,
    windows: Annotated[int, typer.Option(help="Origins to forecast from.")] = 4,
    plot: Annotated[Path | None, typer.Option(help="Write the picture here (PNG, SVG).")] = None,
) -> None:
    """Hold the contest: every model against the naive forecasts; print table and verdict."""
    import forecast

    y = _read(data)
    comparison = forecast.compare(y, horizon, n_windows=windows, verbose=1)
    _show(comparison.table)
    typer.echo(f"\n{comparison.verdict}")
    if plot is not None:
        import matplotlib

        matplotlib.use("Agg")
        comparison.plot()[0].figure.savefig(plot, dpi=150)
        typer.echo(f"The picture is in {plot}.")


@app.command()
def datasets() -> None:
    """List the data sets that `load_dataset` and `compare` know by name."""
    import forecast

    known = forecast.catalogue()
    _show(known[["what", "freq", "season_length", "horizon"]], index="name")


def _read(data: str) -> Any:
    """Return a data set by name, or the series in a CSV file."""
    import pandas as pd

    import forecast

    if not Path(data).is_file():
        try:
            return forecast.load_dataset(data)
        except ValueError as error:
            raise typer.BadParameter(f"{error} There is no file {data!r} either.") from error
    table = pd.read_csv(data, index_col=0)
    if table.index.dtype.kind != "i":
        table.index = pd.to_datetime(table.index)
    return table.squeeze("columns")


def _show(table: Any, index: str = "model") -> None:
    """Print a frame as a table, numbers right-aligned."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    shown.add_column(index, no_wrap=True)
    for column, values in table.items():
        numeric = values.dtype.kind in "fi"
        shown.add_column(str(column), justify="right" if numeric else "left")
    for name, row in table.iterrows():
        cells = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in row]
        shown.add_row(str(name), *cells)
    Console().print(shown)
