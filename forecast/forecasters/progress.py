"""A progress bar for work that takes a while, one named piece after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


def watched(pieces: Mapping[str, T], verbose: int) -> Iterator[tuple[str, T]]:
    """Yield the pieces of some work and their names, with a progress bar if asked for one.

    Examples
    --------
    >>> [name for name, _ in watched({"ETS": 1, "Theta": 2}, verbose=0)]
    ['ETS', 'Theta']
    """
    if not verbose:
        yield from pieces.items()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)  # what is printed on the other stream may go into a file
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=len(pieces))
        for name, piece in pieces.items():
            bar.update(task, description=name)
            yield name, piece
            bar.advance(task)
