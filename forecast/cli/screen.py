"""What the screen shows: tables on stdout; notes, errors and progress on stderr."""

from __future__ import annotations

import logging
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from forecast._checks import Once, printable

# How a message of the package, which speaks to Python, is said to whoever types options.
_SPELLINGS: dict[str, Any] = {
    r"day_first=True": "--day-first",
    r"freq='(.+?)'": r"--freq \1",
    r"day_first=False": "--month-first",
    r"decimal='(.)'": r"--decimal \1",
    r"`?\bn_windows\b`?": "--windows",
    r"`?\b(id_col|time_col|target_col|season_length)\b`?": lambda m: "--" + m[1].replace("_", "-"),
    r"`(horizon|freq|step|gap|refit|coverage|quantiles|series|metrics|decimal|X)`": r"--\1",
    r"`levels`": "--quantiles",
    r"`n_samples`": "--paths",
}
# What is raised to be read. Anything else was not foreseen: its kind is told, too.
_SAID = (ValueError, TypeError, OSError, ImportError)


class Sentences(TyperGroup):
    """Say in one sentence what went wrong; `--debug` shows where."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; exit 1 when the data or the model refuse, or when it fails."""
        log, notes = logging.getLogger("forecast"), _Notes(logging.WARNING)
        notes.addFilter(Once())
        log.addHandler(notes)
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning  # type: ignore[assignment]
                return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever reads has seen enough; typer ends in silence
        except Exception as error:
            own = hasattr(error, "exit_code") or isinstance(error, typer.Abort)  # typer's own
            if own or ctx.params.get("debug"):
                raise
            typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
            say(_sentence(error), err=True)
            raise typer.Exit(1) from None
        finally:
            log.removeHandler(notes)


class _Notes(logging.Handler):
    """Show what the package logs as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        note(spelled_as_options(f"{record.getMessage()}."))


def _sentence(error: Exception) -> str:
    if isinstance(error, _SAID):
        return spelled_as_options(str(error))
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{what}. `forecast --debug` before the command shows where it comes from."


def spelled_as_options(message: str) -> str:
    """Return a message with the names of arguments as one types them.

    Examples
    --------
    >>> spelled_as_options("`id_col` must be a column; `horizon` must be positive.")
    '--id-col must be a column; --horizon must be positive.'
    """
    for pattern, spelling in _SPELLINGS.items():
        message = re.sub(pattern, spelling, message)
    return message


def say(message: str, *, err: bool = False) -> None:
    """Print one line; what names and cells hold beside text is shown and does nothing."""
    typer.echo(printable(message), err=err)


def note(message: str) -> None:
    """Tell something beside the results."""
    typer.secho("note: ", fg="yellow", err=True, nl=False)
    say(message, err=True)


@contextmanager
def working(text: str) -> Iterator[None]:
    """Turn a wheel on a terminal while something takes long."""
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


def to_a_person() -> bool:
    """Tell whether stdout is a terminal rather than a file or a pipe."""
    return sys.stdout.isatty()


def show(
    table: Any, *, formats: dict[str, str] | None = None, styles: dict[str, str] | None = None
) -> None:
    """Print a frame as a table; numbers are right-aligned.

    Parameters
    ----------
    table
        A frame; its index is the first column if it has a name.
    formats
        How to format the numbers of a column; by default with six digits.
    styles
        How rows look, by what their first cell says.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = table.reset_index() if table.index.name else table
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column, values in table.items():
        numeric = values.dtype.kind in "fiu"
        shown.add_column(Text(printable(str(column))), justify="right" if numeric else "left")
    for row in table.itertuples(index=False):
        cells = [
            Text(printable(_cell(value, (formats or {}).get(str(name), "{:.6g}"))))
            for name, value in zip(table.columns, row, strict=True)
        ]
        shown.add_row(*cells, style=(styles or {}).get(str(row[0])))
    Console().print(shown)


def _cell(value: Any, form: str) -> str:
    if isinstance(value, float):
        return "–" if value != value else form.format(value)
    return str(value).removesuffix(" 00:00:00")


def _show_warning(message: Any, category: Any, *rest: Any) -> None:
    from forecast import ForecastWarning

    if issubclass(category, ForecastWarning):
        note(spelled_as_options(str(message)))
