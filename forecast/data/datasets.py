"""Data sets by name: bundled, shipped with statsmodels, generated, or read from elsewhere.

Every set is a row of `catalogue.csv`. Its column `kind` says where the values are:

bundled
    in `datasets/<name>.csv` at the top of the repository, which the wheel holds too
statsmodels
    in statsmodels' own sets; dates are made from `start` and `freq`
generated
    nowhere: the function of that name in `forecast.data.synthetic` makes them
file
    in `<file>.parquet` in the folder that the environment variable FORECAST_DATA names, else at
    `urls`, where its authors publish it; `form` names the function in `_PARSERS` that reads it

A bundled file has the columns `ds` (dates, or 1, 2, ... where `freq` is 1) and `y`; a wide one
`ds` and a column per series; a long one `unique_id`, `ds`, `y` and its covariates. `X`, `past_only`
and `static` name those, separated by spaces, as the arguments of a forecaster do.

The hash of the values is checked: a silent change upstream would make every published figure a
riddle.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast._checks import one_of
from forecast.data import synthetic

_PACKAGE = Path(__file__).parents[1]
_NUMBERS = {"season_length": "int64", "horizon": "int64"}
_NUMBERS |= {"test_rows": "int64", "unused_rows": "int64"}
_PUBLIC = [
    "what",
    "unit",
    "freq",
    "season_length",
    "horizon",
    "layout",
    "X",
    "past_only",
    "static",
    "licence",
    "source",
    "sha256",
]


def catalogue() -> pd.DataFrame:
    """Return what there is: one row per data set, by name.

    Returns
    -------
    DataFrame
        With the columns what, unit, freq, season_length, horizon (steps), layout ("series", "wide"
        or "long"), the names of its covariates (X, of these past_only, and static; separated by
        spaces), licence, source, and sha256 of the values.

    Examples
    --------
    >>> catalogue().loc["co2", ["unit", "freq"]].tolist()
    ['ppm', 'W-SAT']
    """
    return _entries()[_PUBLIC]


def load_dataset(name: str, split: str | None = None) -> Any:
    """Load a data set by name.

    Parameters
    ----------
    name
        A name from `catalogue()`.
    split
        "train" or "test" for a part of the standard split, None for all. The test part is the last
        steps of every series; what others use for validation is part of "train".

    Returns
    -------
    Series or DataFrame
        One series: a Series with a DatetimeIndex that carries its frequency, gaps filled with NaN
        (generated ones: whole numbers from 1). Several measured together: a wide frame. A panel: a
        long frame `unique_id, ds, y`, where `ds` counts from 1 if there are no real dates; then the
        columns that the catalogue names: covariates (pass them as `X`, with the keys) and static
        features (the same in all rows of a series). Words come as categories; `.cat.codes` are
        their numbers. The unit is in `.attrs["unit"]`.

    Raises
    ------
    ValueError
        If the name is unknown, the set has no standard split, or the values are not the expected.
    ImportError
        If a parquet file is to be read and pyarrow is not installed.
    OSError
        If the set can neither be found nor downloaded.

    Examples
    --------
    >>> load_dataset("nile").head(2)
    1871-01-01    1120.0
    1872-01-01    1160.0
    Freq: YS-JAN, Name: nile, dtype: float64

    A panel with covariates is taken apart by the names in the catalogue:

    >>> sales, about = load_dataset("shop_sales"), catalogue().loc["shop_sales"]
    >>> about["X"], about["static"]
    ('price promotion', 'region area')
    >>> y = sales[["unique_id", "ds", "y"]]
    >>> X = sales[["unique_id", "ds", *about["X"].split()]]
    >>> static = sales.groupby("unique_id")[about["static"].split()].first()
    >>> static["area"].head(2).to_list()
    [290, 260]
    """
    entries = _entries()
    entry = entries.loc[one_of("name", name, entries.index)]
    one_of("split", split, (None, "train", "test"))
    if split is not None and not entry.test_rows:
        raise ValueError(f"data set {name!r} has no standard split. Load it whole: split=None.")
    data = _LOADERS[entry.kind](entry)
    if entry.sha256 and fingerprint(data) != entry.sha256:
        raise ValueError(
            f"data set {name!r} does not hold the expected values: the SHA-256 of its values must "
            f"be {entry.sha256}, got {fingerprint(data)}. The file has changed or is damaged."
        )
    data = data if split is None else _part(data, split, entry)
    data.attrs["unit"] = entry.unit  # figures write it on the axis
    return data


def fingerprint(data: pd.Series | pd.DataFrame) -> str:
    """Return the SHA-256 of the names of the series and of the values, as float64 in row order.

    Columns of words come last, word by word.

    Examples
    --------
    >>> fingerprint(pd.Series([1.0, 2.0], name="a"))[:8]
    '98532a78'
    """
    frame = data.to_frame() if isinstance(data, pd.Series) else data
    names = np.asarray(frame.columns)
    if "unique_id" in frame.columns:
        names = frame["unique_id"].unique()
        frame = frame.drop(columns=["unique_id", "ds"])
    numbers = frame.select_dtypes("number")
    values = numbers.to_numpy(dtype="<f8")
    # A NaN has many bit patterns; all mean the same here.
    values = np.where(np.isnan(values), np.nan, values)
    digest = hashlib.sha256("\n".join(map(str, names)).encode())
    digest.update(np.ascontiguousarray(values).tobytes())
    for name in frame.columns.difference(numbers.columns, sort=False):
        digest.update("\n".join(map(str, frame[name])).encode())
    return digest.hexdigest()


def _entries() -> pd.DataFrame:
    with resources.files("forecast.data").joinpath("catalogue.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, index_col="name", keep_default_na=False, dtype=_NUMBERS)


def _part(data: pd.DataFrame, split: str, entry: Any) -> pd.DataFrame:
    """Return the last rows of each series, or all rows before them."""
    if entry.layout == "long":
        from_end = data.groupby("unique_id", sort=False).cumcount(ascending=False)
        is_test = from_end < entry.test_rows
        return data[is_test if split == "test" else ~is_test].reset_index(drop=True)
    end = len(data) - entry.unused_rows
    border = end - entry.test_rows
    return data.iloc[border:end] if split == "test" else data.iloc[:border]


def _load_bundled(entry: Any) -> Any:
    """Load a CSV file of `datasets/`, which the wheel puts inside the package."""
    inside, beside = (_PACKAGE / "datasets", _PACKAGE.parent / "datasets")
    table = pd.read_csv((inside if inside.is_dir() else beside) / f"{entry.name}.csv")
    dated = entry.freq != "1"
    if dated:
        table["ds"] = pd.to_datetime(table["ds"])
    if entry.layout != "wide":
        words = not pd.api.types.is_numeric_dtype(table["y"])
        table = table.astype({"y": "category" if words else "float64"})
    if entry.layout == "long":
        return table
    wide = table.set_index("ds").rename_axis(None)
    wide = wide.asfreq(entry.freq) if dated else wide
    return wide if entry.layout == "wide" else wide["y"].rename(entry.name)


def _load_shipped(entry: Any) -> Any:
    """Load a set that statsmodels ships; dates are made from the start and the frequency."""
    from importlib import import_module

    table = import_module(f"statsmodels.datasets.{entry.name}").load_pandas().data
    values = table.drop(columns=["year", "quarter", "YEAR"], errors="ignore")
    # elnino is a table of years and months: read row by row it is one series.
    steps = len(values) if entry.layout == "wide" else values.size
    index = pd.date_range(entry.start, periods=steps, freq=entry.freq)
    if entry.layout == "wide":
        return values.set_index(index)
    return pd.Series(values.to_numpy(dtype=float).ravel(), index=index, name=entry.name)


def _load_generated(entry: Any) -> pd.Series:
    return getattr(synthetic, entry.name)(seed=0)


def _load_file(entry: Any) -> Any:
    """Load a set from the folder FORECAST_DATA, else from where it is published."""
    folder = os.environ.get("FORECAST_DATA")
    path = Path(folder) / f"{entry.file}.parquet" if folder else None
    if path is not None and path.exists():
        table = _read_parquet(path)
        if entry.file == "classic":
            table = table[table["unique_id"] == entry.name]
    elif entry.urls:
        table = _PARSERS[entry.form]([_fetch(url) for url in entry.urls.split()], entry)
    else:
        raise FileNotFoundError(
            f"data set {entry.name!r} is published in a form that only R reads ({entry.source}). "
            f"Set FORECAST_DATA to a folder that holds {entry.file}.parquet, with the columns "
            "unique_id, ds, y (wide sets: date and one column per series)."
        )
    return _tidy(table, entry)


def _tidy(table: pd.DataFrame, entry: Any) -> Any:
    """Return a table as read (long, or wide with a date) in the form users get."""
    if entry.layout == "wide":
        wide = table.set_index("date").astype(np.float64).rename_axis(None)
        return wide.asfreq(entry.freq)
    if entry.layout == "series":
        values, index = table["y"].to_numpy(dtype=float), pd.DatetimeIndex(table["ds"])
        return pd.Series(values, index.rename(None), name=entry.name).asfreq(entry.freq)
    long = table[["unique_id", "ds", "y"]].reset_index(drop=True)
    return long.astype({"y": np.float64})


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path, engine="pyarrow")
    except ImportError as error:
        raise ImportError(
            f"reading {path.name} needs pyarrow: pip install 'forecast[parquet]'."
        ) from error


def _fetch(url: str) -> Path:
    """Download a file once; later calls read it from the user's cache."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(pooch.retrieve(url, known_hash=None, path=pooch.os_cache("forecast")))
    except OSError as error:
        raise OSError(
            f"{url} could not be downloaded ({type(error).__name__}). Try again online, or set "
            "FORECAST_DATA to a folder that holds the parquet files."
        ) from error


def _parse_m4(paths: list[Path], entry: Any) -> pd.DataFrame:
    """Read the competition's train and test tables: one row per series, padded at its end."""
    tables = [pd.read_csv(path, index_col=0) for path in paths]
    parts = [_melt(table) for table in tables]
    return _numbered(pd.concat(parts, ignore_index=True), list(tables[0].index))


def _melt(table: pd.DataFrame) -> pd.DataFrame:
    values = table.to_numpy(dtype=float)
    rows, columns = np.nonzero(~np.isnan(values))
    return pd.DataFrame({"unique_id": table.index[rows], "y": values[rows, columns]})


def _parse_m3(paths: list[Path], entry: Any) -> pd.DataFrame:
    """Read the series of one period from {key: {sn, period, x, xx}}; scalars come as lists."""
    series = json.loads(paths[0].read_text(encoding="utf-8")).values()
    period = entry.name.removeprefix("m3_").upper()
    chosen = [one for one in series if _scalar(one["period"]) == period]
    parts = [
        pd.DataFrame({"unique_id": _scalar(one["sn"]), "y": np.array(one["x"] + one["xx"], float)})
        for one in chosen
    ]
    return _numbered(pd.concat(parts, ignore_index=True), [_scalar(one["sn"]) for one in chosen])


def _scalar(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _numbered(rows: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """Return rows by series, the steps of each counted from 1."""
    place = pd.Index(order).get_indexer(pd.Index(rows["unique_id"]))
    rows = rows.iloc[np.argsort(place, kind="stable")].reset_index(drop=True)
    rows.insert(1, "ds", rows.groupby("unique_id", sort=False).cumcount() + 1)
    return rows


def _parse_dated(paths: list[Path], entry: Any) -> pd.DataFrame:
    """Read a table with a date column."""
    return pd.read_csv(paths[0], parse_dates=["date"])


def _parse_exchange(paths: list[Path], entry: Any) -> pd.DataFrame:
    """Read bare numbers; the usual table has its last two columns swapped, and nominal dates."""
    names = ["0", "1", "2", "3", "4", "5", "OT", "6"]
    table = pd.read_csv(paths[0], header=None, names=names, compression="gzip")
    table = table[["0", "1", "2", "3", "4", "5", "6", "OT"]]
    table.insert(0, "date", pd.date_range(entry.start, periods=len(table), freq=entry.freq))
    return table


def _parse_single(paths: list[Path], entry: Any) -> pd.DataFrame:
    """Read one series: its last column of numbers, and its column of dates if there is one."""
    table = pd.read_csv(paths[0])
    numeric = table.select_dtypes("number").columns
    dates = table.columns.difference(numeric)
    if len(dates):
        times = pd.to_datetime(table[dates[0]])
    else:
        times = pd.Series(pd.date_range(entry.start, periods=len(table), freq=entry.freq))
    return pd.DataFrame({"ds": times, "y": table[numeric[-1]]}).sort_values("ds")


_LOADERS: dict[str, Callable[[Any], Any]] = {
    "bundled": _load_bundled,
    "statsmodels": _load_shipped,
    "generated": _load_generated,
    "file": _load_file,
}
_PARSERS: dict[str, Callable[[list[Path], Any], pd.DataFrame]] = {
    "m4": _parse_m4,
    "m3": _parse_m3,
    "dated": _parse_dated,
    "exchange": _parse_exchange,
    "single": _parse_single,
}
