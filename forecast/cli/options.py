"""What can be typed after a command; light, so that `--help` answers at once."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from forecast.forecasters.registry import SEQUENTIAL, SPELLINGS, SYMBOLIC

# The arguments that name files, as they are typed.
_READ = {"data": "DATA", "X": "--X", "model_file": "--model-file"}
_WRITTEN = {
    "output": "--output", "plot": "--plot", "report": "--report", "save_to": "--model-file"
}  # fmt: skip


def model_name(name: str) -> str:
    """Return a name of `SPELLINGS` in lower case, or say which there are."""
    spelled = name.strip().lower().replace("_", "-").replace(" ", "-")
    if spelled not in SPELLINGS:
        raise typer.BadParameter(f"{name!r} is no model; known are {', '.join(SPELLINGS)}.")
    return spelled


def contestant(name: str) -> str:
    """Return the name of a model whose errors can be measured, or say why it is none."""
    spelled = model_name(name)
    if SPELLINGS[spelled] in SYMBOLIC:
        raise typer.BadParameter(
            f"{spelled} forecasts symbols, whose errors have no size. Use `forecast predict`."
        )
    return forecasting(spelled)


def forecasting(name: str) -> str:
    """Return the name of a model that continues series, or say what the others are for."""
    spelled = model_name(name)
    if SPELLINGS[spelled] in SEQUENTIAL:
        raise typer.BadParameter(
            f"{spelled} answers for sequences. Use `forecast fit` with a labelled table, then "
            "`forecast predict --model-file`."
        )
    return spelled


def model_names(text: str | None) -> list[str] | None:
    """Return the models of a list such as "ets,lstm"."""
    return None if text is None else [contestant(name) for name in text.split(",")]


def names(text: str | None) -> list[str]:
    """Return the names of a list such as "mase,crps"."""
    return [name.strip() for name in text.split(",")] if text else []


def columns(text: str | None) -> str | list[str] | None:
    """Return a column, or the columns of a list such as "store,item".

    Examples
    --------
    >>> columns("store"), columns("store,item")
    ('store', ['store', 'item'])
    """
    return names(text) if text and "," in text else text


def levels(text: str | None) -> list[float]:
    """Return the levels of a list such as "0.1,0.9", in rising order."""
    try:
        numbers = sorted({float(number) for number in text.split(",")} if text else ())
    except ValueError:
        numbers = [0.0]
    if not all(0 < number < 1 for number in numbers):
        raise typer.BadParameter(
            f"must be numbers between 0 and 1 such as 0.1,0.5,0.9, got {text!r}.",
            param_hint="--quantiles",
        )
    return numbers


def settings(pairs: list[str] | None) -> dict[str, Any]:
    """Return the parameters of pairs such as "hidden_size=64", typed as Python would."""
    return dict(_setting(pair) for pair in pairs or [])


def frequency(text: str | None) -> str | int | None:
    """Return a pandas alias, or a number of steps where time is whole numbers."""
    return int(text) if text and text.isdecimal() else text


def growing(data: str) -> None:
    """Refuse what cannot be read again."""
    if data == "-" or Path(data).is_fifo():
        raise typer.BadParameter(
            "a file that grows is watched, and standard input cannot be read again. Write it to a "
            "file.",
            param_hint="DATA",
        )


def in_a_folder(path: Path | None) -> Path | None:
    """Check before the work that a file can be written after it."""
    if path is not None and not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {str(path.parent)!r}.")
    return path


def as_a_picture(path: Path | None) -> Path | None:
    """Check before the work that a figure can be written after it, and in which format."""
    if path is not None and path.suffix:
        from matplotlib.backend_bases import FigureCanvasBase

        if path.suffix[1:].lower() not in FigureCanvasBase.filetypes:
            raise typer.BadParameter(f"must end in .png, .svg or .pdf, got {path.name!r}.")
    return in_a_folder(path)


def as_a_table(path: Path | None) -> Path | None:
    """Refuse names that promise a spreadsheet, which opens CSV just as well."""
    if path is not None and path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        raise typer.BadParameter(
            f"must end in .csv, which a spreadsheet opens, or .parquet, got {path.name!r}."
        )
    return in_a_folder(path)


def _file_of(data: str | Path) -> Path:
    return Path("/dev/stdin" if data == "-" else data).resolve()  # into which file may be led


def apart(given: dict[str, Any]) -> None:
    """Refuse to write over a file that is read, or written, in the same call."""
    read = {name: spelled for name, spelled in _READ.items() if given.get(name) is not None}
    named = {_file_of(given[name]): spelled for name, spelled in read.items()}
    taken = {path: spelled for path, spelled in named.items() if path.exists()}  # no data set is
    for name, spelled in _WRITTEN.items():
        path = given.get(name)
        if path is not None and path.resolve() in taken:
            raise typer.BadParameter(
                f"{path} is {taken[path.resolve()]}, too, and would be overwritten. Choose another "
                "name.",
                param_hint=spelled,
            )
        if path is not None:
            taken[path.resolve()] = spelled


def _setting(pair: str) -> tuple[str, Any]:
    name, equals, text = pair.partition("=")
    if not equals or not name.strip():
        raise typer.BadParameter(f"--set needs name=value, got {pair!r}.")
    json = {"true": True, "false": False, "null": None}
    try:
        value = json[text] if text in json else ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        value = text  # a word: head=normal
    return name.strip().replace("-", "_"), value


def _option(panel: str) -> Any:
    def make(help: str, *names: str, **rest: Any) -> Any:
        return typer.Option(*names, help=help, rich_help_panel=panel, **rest)

    return make


_data = _option("The data")
_model = _option("The model")
_output = _option("What comes out")
_file = partial(_output, metavar="FILE", callback=in_a_folder)

Data = Annotated[
    str,
    typer.Argument(
        help="A CSV or parquet file, - for standard input, or the name of a data set.",
        metavar="DATA",
    ),
]
Horizon = Annotated[int | None, _model("Steps ahead; by default one season, at least 8.")]
Models = Annotated[
    str | None, _model("Contestants beside the naive ones, such as ets,lstm; by default all.")
]
ModelFile = Annotated[Path | None, _model("A model that `forecast fit` saved.", metavar="FILE")]
SaveTo = Annotated[Path, _file("Save the fitted model here.", "--model-file")]
Quantiles = Annotated[str | None, _output("Quantiles of every step, such as 0.1,0.5,0.9.")]
Coverage = Annotated[float | None, _output("A central interval: columns lower and upper.")]
Paths = Annotated[int, _output("Draw so many whole futures.", min=0, metavar="<int>")]
Metrics = Annotated[
    str | None,
    _output("Scores of the table, such as rmsse,crps; the first counts. See `forecast metrics`."),
]
Output = Annotated[
    Path | None,
    _output(
        "Write the table here: .csv or .parquet; of a folder of data, a folder.",
        metavar="FILE",
        callback=as_a_table,
    ),
]
Jobs = Annotated[int, _model("Processes that work on a folder; -1: one per core.")]
Plot = Annotated[
    Path | None, _output("Draw a figure: .png or .svg.", metavar="FILE", callback=as_a_picture)
]
Series = Annotated[str | None, _output("The series to draw; by default the first.")]
Report = Annotated[Path | None, _file("Write everything into one HTML file.")]
FalseAlarms = Annotated[float, _output("Share of usual values that may raise an alarm.")]
Last = Annotated[
    int, _data("Begin with so many of the last times that are there.", min=0, metavar="<int>")
]
Wait = Annotated[
    float | None, _data("Stop if no line came for so many seconds; by default never.", min=0)
]
RandomState = Annotated[int, _model("Seed of networks and paths.")]


@dataclass
class Reading:
    """Say how to read the data."""

    X: Annotated[
        Path | None,
        _data("Covariates, past and future, matched by time.", "--X", metavar="FILE"),
    ] = None
    id_col: Annotated[
        str | None, _data("The column that names the series, or several: store,item.")
    ] = None
    time_col: Annotated[str | None, _data("The column of times, or several: date,hour.")] = None
    target_col: Annotated[str | None, _data("The column to forecast.")] = None
    day_first: Annotated[
        bool | None,
        _data("How to read 01/02/2024, if the file does not tell.", "--day-first/--month-first"),
    ] = None
    decimal: Annotated[str | None, _data("The decimal mark, if the file does not tell.")] = None
    freq: Annotated[str | None, _data("The frequency (h, D, MS), if the times do not tell.")] = None
    season_length: Annotated[int | None, _data("Steps in a season, if freq does not tell.")] = None

    @property
    def form(self) -> dict[str, Any]:
        """The keywords that `read_file` and `read_covariates` share."""
        return {
            "time_col": columns(self.time_col),
            "day_first": self.day_first,
            "decimal": self.decimal,
        }


@dataclass
class Choice:
    """Say which model to make, and how."""

    model: Annotated[str, _model(", ".join(SPELLINGS), callback=model_name)] = "pre-trained"
    set: Annotated[
        list[str] | None,
        _model("A parameter of the model; may be repeated.", metavar="NAME=VALUE"),
    ] = None


@dataclass
class Origins:
    """Say which past origins to forecast from."""

    windows: Annotated[int, _model("Past origins to forecast from.")] = 4
    step: Annotated[int | None, _model("Steps between origins; by default the horizon.")] = None
    gap: Annotated[int, _model("Steps left out after each origin.")] = 0
    refit: Annotated[
        int, _model("Fit again at every so many origins; 0: once.", min=0, metavar="<int>")
    ] = 0

    @property
    def arguments(self) -> dict[str, Any]:
        """The keywords of `backtest` and `compare`."""
        return {
            "n_windows": self.windows,
            "step": self.step,
            "gap": self.gap,
            "refit": self.refit or False,
        }


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take groups: a parameter that is a dataclass is typed as its fields."""
    groups: dict[str, dict[str, Any]] = {}
    typed: list[inspect.Parameter] = []
    for name, one in inspect.signature(command, eval_str=True).parameters.items():
        kind = inspect.Parameter.KEYWORD_ONLY
        if not dataclasses.is_dataclass(one.annotation):
            typed.append(one.replace(kind=kind))
            continue
        hints = get_type_hints(one.annotation, include_extras=True)
        groups[name] = {"make": one.annotation, "names": list(hints)}
        for field in dataclasses.fields(one.annotation):
            hint = hints[field.name]
            typed.append(
                inspect.Parameter(field.name, kind, default=field.default, annotation=hint)
            )

    def call(**given: Any) -> None:
        apart(given)
        for name, group in groups.items():
            given[name] = group["make"](**{field: given.pop(field) for field in group["names"]})
        command(**given)

    call.__name__, call.__doc__ = command.__name__, command.__doc__
    call.__signature__ = inspect.Signature(typed)  # type: ignore[attr-defined]
    return call


def without(why: str, **given: Any) -> None:
    """Refuse options that make no sense here, and say why."""
    for name, value in given.items():
        if value:
            raise typer.BadParameter(why, param_hint=f"--{name.replace('_', '-')}")


def as_saved(choice: Choice, how: Reading) -> None:
    """Refuse options that change nothing of a model that was saved."""
    model = choice.model if choice.model != Choice.model else None
    given = {"freq": how.freq, "season_length": how.season_length}
    without(
        "a saved model is what it was fitted as: leave this out, or fit again.",
        model=model, set=choice.set, **given,
    )  # fmt: skip
