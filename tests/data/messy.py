"""Files as people bring them, drawn from a seed, with what they mean.

A `Mess` has the truth, the way in which it is written, and faults. What `render` writes of it the
test reads; where that is refused, the test does what the message asks for, and renders again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

_DATED = ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d %b %Y", "%Y%m%d", "%d-%b-%y", "parts"]
_CLOCKED = [
    *("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%Y%m%d%H%M"),
    *("epoch", "epoch ms", "date and clock", "date and hour", "parts"),
]
_MONTHLY = ["%Y-%m", "%b-%y", "%Y%m", "%B %Y", "%m/%Y", "year and month", "months as columns"]
# Of each frequency the forms in which its times are written.
_FORMS = {
    "15min": [form for form in _CLOCKED if form != "date and hour"],
    "h": _CLOCKED,
    "D": [*_DATED, "serial", "epoch"],
    "B": [*_DATED, "serial"],
    "C": _DATED[:6],
    "W-MON": [*_DATED, "%G-W%V"],
    "MS": [*_MONTHLY, "%Y-%m-%d", "%d.%m.%Y"],
    "ME": ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"],
    "15th": ["%Y-%m-%d", "%d/%m/%Y"],
    "trading": ["%Y-%m-%d", "%m/%d/%Y"],
    "QS": ["quarter", "year and quarter", "%Y-%m-%d"],
    "YS": ["%Y"],
}
_MISSING = ["", "NA", "-", "n/a", "NaN", "null", "?", "#N/A"]
_FAULTS = ["word", "twice", "no time", "no id", "other unit", "mixed zone", "total", "source",
           "jumps", "years as columns", "foreign month", "lone field"]  # fmt: skip


@dataclass(frozen=True)
class Mess:
    """Hold a table, the way it is written, and what is wrong with it.

    Parameters
    ----------
    truth
        Rows of `time`, the columns of `ids`, and those of `values`; a value may be missing.
    freq, form
        A key of `_FORMS`, and how its times are written.
    ids, values
        The columns that name series, and those of numbers.
    style
        How everything else is written.
    fault
        What is wrong, or None.
    removed
        The rows of the truth that a remedy has removed.
    """

    truth: pd.DataFrame
    freq: str
    form: str
    ids: list[str]
    values: list[str]
    style: dict[str, Any]
    fault: str | None
    removed: frozenset[int] = field(default=frozenset())

    @property
    def time_cols(self) -> list[str]:
        """The columns that tell the time."""
        parts = {
            "parts": ["year", "month", "day", *(["hour", "minute"] if self.freq == "15min" else []),
                      *(["hour"] if self.freq == "h" else [])],
            "date and clock": ["date", "clock"], "date and hour": ["date", "hour"],
            "year and month": ["year", "month"], "year and quarter": ["year", "quarter"],
            "epoch": ["timestamp"], "epoch ms": ["timestamp"],
        }  # fmt: skip
        return parts.get(self.form, ["date"])


def draw(seed: int) -> Mess:
    """Return the mess of a seed."""
    rng = np.random.default_rng(seed)
    pick = lambda options: options[int(rng.integers(len(options)))]  # noqa: E731
    freq = pick(list(_FORMS))
    form = pick(_FORMS[freq])
    layout = pick(["one", "one", "wide", "long", "long", "two ids"])
    if form == "months as columns":
        layout = pick(["one", "long"])
    times = _times(freq, int(rng.integers(40, 90)), rng)
    times, ahead = times[:-3], times[-3:]
    if form == "months as columns":
        ahead = ahead[:0]
        times = times[: 12 * (len(times) // 12)]
    ids = {"long": ["shop"], "two ids": ["store", "item"]}.get(layout, [])
    names = [(f"S{i}",) for i in range(3)] if layout == "long" else [()]
    if layout == "two ids":
        names = [(store, str(item)) for store in ("NA", "DE") for item in (1, 2)]
    values = [f"v{k}" for k in range(3)] if layout == "wide" else ["y"]
    digits, top = int(rng.integers(0, 4)), pick([10, 1000, 1e5])
    parts = [
        pd.DataFrame(
            {name: np.round(rng.gamma(2, top / 4, len(times)) - top / 8, digits) for name in values}
        ).assign(time=times, **dict(zip(ids, one, strict=True)))
        for one in names
    ]
    truth = pd.concat(parts, ignore_index=True)
    holes = rng.random((len(truth), len(values))) < pick([0, 0, 0.05])
    holes[[0, 1, 2, -1]] = False
    truth[values] = truth[values].mask(holes)
    decimal = pick([".", ".", ","])
    style = {
        "separator": pick([";", "\t", "|", ","]),
        "decimal": decimal,
        "thousands": pick(["", "", {".": ",", ",": "."}[decimal], " ", "'"]),
        "digits": digits,
        "missing": pick(_MISSING),
        "sign": pick(["{}"] * 6 + ["${}", "{}%", "EUR {}", "{} €", "trailing"]),
        "encoding": pick(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
        "newline": pick(["\n", "\r\n"]),
        "above": pick(["", "", "Sales of the shops\n\n", "# exported\n# by hand\n"]),
        "numbered": pick([False, False, True]),
        "empty": pick([False, False, True]),
        "note": pick([False, False, True]),
        "ahead": ahead if layout in ("one", "wide") and rng.random() < 0.3 else ahead[:0],
        "copies": pick([0, 0, 2]),
        "order": pick(["time", "time", "any"]),
        "header": form in ("epoch", "epoch ms", "serial", "months as columns")
        or layout != "one"
        or pick([True, True, False]),
        "seed": int(rng.integers(1 << 30)),
    }
    fault = pick(_FAULTS) if rng.random() < 0.4 else None
    return Mess(
        truth, freq, form, ids, values, style, _possible(fault, form, freq, ids, style, layout)
    )


def _possible(
    fault: str | None, form: str, freq: str, ids: list[str], style: dict[str, Any], layout: str
) -> str | None:
    """Return a fault, if it can be in a file of such a kind."""
    whole = form == "months as columns"
    cannot = {
        "no id": not ids,
        "other unit": style["sign"] not in ("${}", "{}%") or whole,
        "mixed zone": not form.endswith("Z"),
        "jumps": freq != "h" or form != "%Y-%m-%d %H:%M",
        "years as columns": form != "%Y" or layout != "wide",
        "foreign month": form != "%d %b %Y",
        "word": whole, "twice": whole, "no time": whole, "total": whole, "source": whole,
        "lone field": whole,
    }  # fmt: skip
    return None if cannot.get(fault or "", False) else fault


def _times(freq: str, count: int, rng: np.random.Generator) -> pd.DatetimeIndex:
    start = pd.Timestamp("2019-01-01") + pd.Timedelta(days=int(rng.integers(0, 900)))
    months = pd.date_range(start, periods=count, freq="MS")
    if freq == "15th":
        return months + pd.Timedelta(days=14)
    if freq == "trading":
        ends = pd.date_range(start, periods=count, freq="BME").to_series()
        ends.iloc[5] -= pd.Timedelta(days=1 if ends.iloc[5].day_of_week else 3)
        return pd.DatetimeIndex(ends)
    if freq == "C":
        days = pd.date_range(start, periods=2 * count)
        return days[days.day_of_week < 6][:count]
    return pd.date_range(start, periods=count if freq != "YS" else 40, freq=freq)


def render(mess: Mess) -> tuple[bytes, dict[int, int]]:
    """Return the bytes of a file, and of each of its lines the row of the truth (-1 of a copy)."""
    rng = np.random.default_rng(mess.style["seed"])
    rows = mess.truth.drop(index=list(mess.removed))
    table = _cells(mess, rows)
    if mess.form == "months as columns":
        table = _with_columns_of_months(mess, rows, table)
    if mess.fault == "years as columns":
        table = table.set_index("date").T.rename_axis("series").reset_index()
    if mess.style["order"] == "any" and mess.form != "serial":
        table = table.sample(frac=1, random_state=int(rng.integers(1 << 30)))
    if mess.style["copies"] and mess.form != "months as columns":
        table = pd.concat(
            [table, table.tail(mess.style["copies"]).set_axis([-1] * mess.style["copies"])]
        )
    _add_columns(mess, table)
    table = _with_faults(mess, table, rng)
    names = ["" if name == "#" else name for name in table.columns]
    lines = [names] if mess.style["header"] else []
    lines += [
        ["" if cell is None else str(cell) for cell in row] for row in table.itertuples(index=False)
    ]
    text = (
        mess.style["above"]
        + "\n".join(_line(cells, mess.style["separator"]) for cells in lines)
        + "\n"
    )
    first = mess.style["above"].count("\n") + mess.style["header"] + 1
    where = {first + k: int(row) for k, row in enumerate(table.index)}
    return text.replace("\n", mess.style["newline"]).encode(
        mess.style["encoding"], "replace"
    ), where


def _cells(mess: Mess, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as text: times, ids, numbers."""
    times = pd.DatetimeIndex(rows["time"])
    told = _told(mess, times)
    columns = {name: told[name] for name in mess.time_cols}
    columns |= {name: rows[name].tolist() for name in mess.ids}
    columns |= {name: [_number(value, mess.style) for value in rows[name]] for name in mess.values}
    table = pd.DataFrame(columns, rows.index, dtype=object)
    ahead = mess.style["ahead"]
    if len(ahead):
        later = pd.DataFrame(_told(mess, ahead), [-1] * len(ahead), dtype=object)
        table = pd.concat(
            [table, later.assign(**dict.fromkeys(mess.values, mess.style["missing"]))]
        )
    return table


def _told(mess: Mess, times: pd.DatetimeIndex) -> dict[str, list[Any]]:
    """Return the columns that tell times in the form of a mess."""
    days = (times - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1)
    names = ("year", "month", "day", "hour", "minute", "quarter")
    parts = {name: [getattr(time, name) for time in times] for name in names}
    if mess.form in ("parts", "year and month", "year and quarter"):
        return {name: parts[name] for name in mess.time_cols}
    seconds = times.as_unit("s").asi8
    numbers = {"epoch": seconds, "epoch ms": 1000 * seconds, "serial": days.astype(int)}
    if mess.form in numbers:
        return {mess.time_cols[0]: numbers[mess.form].tolist()}
    if mess.form.startswith("date and"):
        second = times.strftime("%H:%M").tolist() if "clock" in mess.form else parts["hour"]
        return {"date": times.strftime("%d.%m.%Y").tolist(), mess.time_cols[1]: second}
    if mess.form == "quarter":
        return {"date": [f"{time.year}Q{time.quarter}" for time in times]}
    form = "%Y" if mess.form == "months as columns" else mess.form
    return {"date": times.strftime(form).tolist()}


def _number(value: float, style: dict[str, Any]) -> str:
    if np.isnan(value):
        return str(style["missing"])
    text = f"{abs(value):,.{style['digits']}f}"
    text = text.translate(str.maketrans({",": style["thousands"], ".": style["decimal"]}))
    minus = "-" if value < 0 else ""
    if style["sign"] == "trailing":
        return text + minus
    return minus + style["sign"].format(text)


def _with_columns_of_months(mess: Mess, rows: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    months = pd.DatetimeIndex(rows["time"]).strftime("%b")
    keys = [table[name] for name in ("date", *mess.ids)]
    wide = table["y"].groupby([*keys, months], sort=False).first().unstack(sort=False)  # noqa: PD010
    order = pd.date_range("2024", periods=12, freq="MS").strftime("%b")
    return wide[order].fillna("").rename_axis(columns=None).reset_index()


def _add_columns(mess: Mess, table: pd.DataFrame) -> None:
    if mess.style["note"] and mess.style["header"]:
        table["note"] = (["ok", "", "checked"] * len(table))[: len(table)]
        table.loc[table.index == -1, "note"] = ""
    if mess.style["empty"] and mess.style["header"]:
        table["spare"] = ""
    if mess.style["numbered"] and mess.style["header"]:
        table.insert(0, "#", range(len(table)))


def _with_faults(mess: Mess, table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return a table with what is wrong with it."""
    own = np.flatnonzero(table.index >= 0)[3:-3]
    at = int(rng.choice(own)) if len(own) else 0
    place = table.columns.get_loc
    value = mess.values[0]
    if mess.fault == "word":
        table.iloc[at, place(value)] = "x7"
    if mess.fault == "no time":
        table.iloc[at, place(mess.time_cols[0])] = ""
    if mess.fault == "no id":
        table.iloc[at, place(mess.ids[0])] = ""
    if mess.fault == "other unit":
        table.iloc[at, place(value)] = "7" if "%" in mess.style["sign"] else "£7"
    if mess.fault == "mixed zone":
        table.iloc[at, place("date")] = table.iloc[at, place("date")].removesuffix("Z")
    if mess.fault == "twice":
        again = table.iloc[[at]].set_axis([-1])
        again[value] = _number(12345.0, mess.style)
        table = pd.concat([table, again])
    if mess.fault == "jumps":
        jumped = pd.Timestamp(table.iloc[at, place("date")]) + pd.Timedelta(minutes=17)
        table.iloc[at, place("date")] = jumped.strftime("%Y-%m-%d %H:%M")
    if mess.fault == "foreign month":
        table["date"] = table["date"].str.replace("May", "Mai").str.replace("Oct", "Okt")
    for fault, words in (
        ("total", "Total"),
        ("source", "Source: the office"),
        ("lone field", "..."),
    ):
        if mess.fault == fault:
            last = dict.fromkeys(table.columns, "") | {mess.time_cols[0]: words}
            last |= {value: "99"} if fault == "total" else {}
            table = pd.concat([table, pd.DataFrame(last, [-1])])
    return table


def _line(cells: list[str], separator: str) -> str:
    return separator.join(f'"{cell}"' if separator in cell else cell for cell in cells)


def without(mess: Mess, row: int) -> Mess:
    """Return a mess without a row of its truth."""
    return replace(mess, removed=mess.removed | {row})


def rewritten(mess: Mess, fault: str | None = None, **style: Any) -> Mess:
    """Return a mess that is written in another way."""
    return replace(mess, fault=fault, style=mess.style | style)
