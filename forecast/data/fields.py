"""Bytes become fields: the encoding, the separator and the header of a text file of rows."""

from __future__ import annotations

import csv
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from forecast._checks import ForecastWarning, short
from forecast.data.cells import looks_like_a_number
from forecast.data.dates import looks_like_a_time

# The comma comes last: it may be a decimal mark between others.
SEPARATORS = (";", "\t", "|", ",")
_BLANKS = " "  # as many as there are between two fields
MISSING = {"", "-", "--", ".", "?", "*", "**", "***", "#n/a", "n.a.", "n/a", "na", "nan", "none",
           "null"}  # fmt: skip
_LINES_LOOKED_AT = 200


def read_fields(path: Path) -> pd.DataFrame:
    """Return the fields of a text file as text, without blanks around them, None where missing.

    The columns are those of the header, or called "column 1" ... without one. The index is the
    number of the line.

    Raises
    ------
    ValueError
        If the file is no text, is empty, has a header only, or rows of different length.
    """
    text = _without_comments(_decode(path))
    # A blank at the beginning of a line may be a separator.
    start = len(text) - len(text.lstrip())
    if start == len(text):
        raise ValueError(f"{path.name!r} must hold rows of times and values, got an empty file.")
    start = text.rfind("\n", 0, start) + 1
    table = _split(text[start:].rstrip(), path.name)
    table.index = pd.RangeIndex(1, len(table) + 1, name="line") + text[:start].count("\n")
    table = _below_title(table.dropna(how="all"), path.name)
    if _is_header(table):
        header, table = table.iloc[0], table.iloc[1:]
        _check_lengths(header, table, path.name)
        names = [name if isinstance(name, str) else "" for name in header]
    else:
        names = [f"column {k + 1}" for k in range(table.shape[1])]
        _warn(f"{path.name} has no header: its columns are called {', '.join(names)}.")
    if not len(table):
        raise ValueError(f"{path.name!r} must hold rows of times and values, got a header only.")
    # A separator at the end of each line makes an empty column.
    table = _masked(table)
    nameless = table.isna().all().to_numpy() & (np.array(names) == "")
    table = table.set_axis(pd.Index(names, dtype=object), axis=1).loc[:, ~nameless]
    if table.columns.has_duplicates:
        name = table.columns[table.columns.duplicated()][0]
        raise ValueError(f"{path.name!r} must name each column once: {short(name)} occurs twice.")
    return table


def _below_title(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Drop the lines above a table that fill its first field only."""
    filled = table.notna().sum(axis=1)
    if filled.median() < 2:
        return table
    alone = (filled == 1) & table[0].notna()
    lines = int((~alone).to_numpy().argmax())
    if lines:
        _warn(f"{lines} line{'s' if lines > 1 else ''} above the table of {name} skipped.")
    return table.iloc[lines:]


def _without_comments(text: str) -> str:
    """Return a text whose lines above the table that begin with # are empty."""
    if not text.startswith("#"):
        return text
    lines = text.splitlines()
    rest = (k for k, line in enumerate(lines) if line.strip()[:1] not in ("#", ""))
    end = next(rest, len(lines))
    return "\n" * end + "\n".join(lines[end:])


def _masked(table: pd.DataFrame) -> pd.DataFrame:
    """Return fields with None where a word says that one is missing; among names NA is one."""
    missing = table.apply(lambda column: column.str.lower().isin(MISSING))
    masked = table.mask(missing)
    for name in table.columns[(missing & table.notna()).any()]:
        column = masked[name]
        if column.notna().any() and not (looks_like_a_time(column) or looks_like_a_number(column)):
            masked[name] = table[name].mask(table[name].str.fullmatch(r"\W*").eq(True))
    return masked.astype(object)


def _check_lengths(header: pd.Series, table: pd.DataFrame, name: str) -> None:
    width = int(header.notna().to_numpy().nonzero()[0].max(initial=0)) + 1
    longer = table.iloc[:, width:].notna().any(axis=1)
    if longer.any():
        line = table.index[longer][0]
        raise ValueError(
            f"{name!r} must have a name for every field: line {line} has "
            f"{int(table.loc[line].notna().sum())} fields, the header {width}. Where the comma is "
            "a decimal mark, separate fields by semicolons."
        )


def _decode(path: Path) -> str:
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return raw.decode("utf-16")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path.name!r} must be whole: it begins as UTF-16 text and breaks off at byte "
                f"{error.start}. Save it again, as UTF-8."
            ) from error
    if b"\0" in raw[:4096] or raw[:4] in (b"PK\3\4", b"PAR1") or raw[:2] == b"\x1f\x8b":
        raise ValueError(
            f"{path.name!r} must be a text file (CSV) or end in .parquet, got binary data. A "
            "spreadsheet can be saved as CSV, an archive unpacked."
        )
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def _split(text: str, name: str) -> pd.DataFrame:
    lines = text.splitlines()[:_LINES_LOOKED_AT]
    separator = ","
    try:
        separator, width = _separator(lines)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)
            table = pd.read_csv(
                io.StringIO(text),
                sep=r"\s+" if separator == _BLANKS else separator,
                header=None,
                names=range(width),
                index_col=False,
                dtype=object,
                keep_default_na=False,
                skip_blank_lines=False,
            )
    except (pd.errors.ParserError, csv.Error) as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"line {line[1]}" if line else "a line"
        raise ValueError(
            f"{name!r} must have the same number of fields in every line: {where} does not. Quote "
            f"fields that hold the separator {separator!r}, and remove notes around the table."
        ) from error
    table = table.apply(lambda column: column.astype(object).str.strip())
    return table.mask(table.eq("")).astype(object)


def _separator(lines: list[str]) -> tuple[str, int]:
    """Return the separator that splits most lines, and the most fields of a line.

    Of equals it is the one that is no decimal mark; blanks count where no other splits.
    """
    widths = {mark: [len(row) for row in csv.reader(lines, delimiter=mark)] for mark in SEPARATORS}
    best = max(SEPARATORS, key=lambda mark: sum(width > 1 for width in widths[mark]))
    if max(widths[best], default=1) == 1:
        blanks = [len(line.split()) for line in lines if line.strip()]
        if min(blanks) > 1 and len(set(blanks)) == 1:
            return _BLANKS, blanks[0]
    return best, max(widths[best])


def _is_header(table: pd.DataFrame) -> bool:
    """Tell whether the first row names columns: not if it holds a date or two, or numbers only."""
    first = table.iloc[:1]
    if first[first.columns[0]].isna().all():
        return True
    cells = [first[column].dropna() for column in first.columns]
    cells = [cell for cell in cells if len(cell)]
    times = [cell.name for cell in cells if looks_like_a_time(cell)]
    if times:  # as names of columns, which are refused as such, they have values below
        below = any(looks_like_a_time(table[name].iloc[1:2].dropna()) for name in times)
        return not below and 2 * len(times) > len(cells) > 2
    return not all(map(looks_like_a_number, cells))


def _warn(message: str) -> None:
    warnings.warn(message, ForecastWarning, stacklevel=4)
