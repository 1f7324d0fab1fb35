"""Series are named by as many columns as it takes, and come back as they came."""

from __future__ import annotations

import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import explain, load
from forecast._checks import ForecastWarning
from forecast.data.files import read_file
from forecast.evaluation.backtest import backtest
from forecast.forecasters.classical.naive import NaiveForecaster
from forecast.forecasters.window.markov import MarkovForecaster

DAYS = pd.date_range("2024-01-01", periods=30, name="day")


def sales(*ids: tuple[Any, ...], names: list[str]) -> pd.DataFrame:
    """Return a long frame of whole numbers that often repeat."""
    rows = [
        (*one, day, (5 * i + k) % 11) for i, one in enumerate(ids) for k, day in enumerate(DAYS)
    ]
    return pd.DataFrame(rows, columns=[*names, "day", "sales"])


STORES = sales(*product("AB", [1, 2, 3]), names=["store", "item"])


def read(folder: Path, frame: pd.DataFrame, **options: Any) -> tuple[Any, str]:
    frame.to_csv(folder / "file.csv", index=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ForecastWarning)
        data = read_file(folder / "file.csv", **options)
    return data, " ".join(str(one.message) for one in caught)


@pytest.mark.parametrize("stores", ["AB", [7, 8]])
def test_store_and_item_name_series_together(stores: Any, tmp_path: Path) -> None:
    frame = sales(*product(stores, [1, 2, 3]), names=["store", "item"])
    data, told = read(tmp_path, frame)
    assert data.index.names == ["store", "item", "day"] and len(data) == len(frame)
    assert told == "columns 'store', 'item' name the series."
    said, told = read(tmp_path, frame, id_col=["store", "item"])
    assert not told
    pd.testing.assert_series_equal(said, data)
    forecast = NaiveForecaster(horizon=2).fit(data).predict()
    assert forecast.index.names == data.index.names and len(forecast) == 12
    assert forecast.xs((str(stores[0]), "2")).tolist() == [(5 + 29) % 11] * 2


def test_what_is_constant_in_a_series_is_part_of_its_name(tmp_path: Path) -> None:
    places = [("north", "N1"), ("north", "N2"), ("south", "S1")]
    ids = [(*place, why) for place, why in product(places, ["work", "play"])]
    data, told = read(tmp_path, sales(*ids, names=["state", "region", "why"]))
    assert told == "columns 'state', 'region', 'why' name the series."
    assert data.index.names == ["state", "region", "why", "day"]


def test_equal_values_of_two_series_are_no_copies(tmp_path: Path) -> None:
    frame = STORES.assign(sales=7)
    data, told = read(tmp_path, frame)
    assert len(data) == len(frame) and "copies" not in told
    with pytest.raises(ValueError, match="one value per time of series 'A', got 7 and 7 .* id_col"):
        read(tmp_path, frame, id_col="store", target_col="sales")
    _, told = read(tmp_path, pd.concat([frame, frame.head(3)]))
    assert "3 rows are left out: copies of other rows." in told


@pytest.mark.parametrize("name", ["NA", "None", "null", "N/A"])
def test_a_word_for_missing_may_be_a_name(name: str, tmp_path: Path) -> None:
    data, told = read(tmp_path, sales((name,), ("DE",), names=["country"]))
    assert data.xs(name).tolist()[:2] == [0, 1] and told == "column 'country' names the series."


@pytest.mark.parametrize("sales", [39, 13])  # all differ, or they come again each year
def test_a_period_of_a_year_names_no_series(sales: int, tmp_path: Path) -> None:
    years, periods = zip(*product(range(2019, 2022), range(1, 14)), strict=True)
    table = pd.DataFrame({"Year": years, "Period": periods, "Sales": np.arange(39) % sales})
    with pytest.raises(ValueError, match="one value per time, .* say which: id_col, time_col"):
        read(tmp_path, table)


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("index", "DAX", "S&P 500"),
        ("timeseries", "1", "2"),
        ("holiday_region", "DE", "FR"),
        ("model_year", "2001", "2002"),
        ("Period", "peak", "off"),
    ],
)
def test_names_may_be_called_as_times_are_in_part(
    name: str, first: str, second: str, tmp_path: Path
) -> None:
    data, told = read(tmp_path, sales((first,), (second,), names=[name]))
    assert data.index.get_level_values(0).unique().tolist() == [first, second]
    assert told == f"column {name!r} names the series."


def test_an_empty_name_is_refused(tmp_path: Path) -> None:
    frame = STORES.assign(item=STORES["item"].mask(STORES["item"] == 2))
    with pytest.raises(ValueError, match="must name its series: column 'item' is empty in line"):
        read(tmp_path, frame, id_col=["store", "item"])


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_long_frame_named_by_two_columns_comes_back_as_it_came(
    shuffled: bool, tmp_path: Path
) -> None:
    frame = STORES.sample(frac=1, random_state=0) if shuffled else STORES
    columns = {"id_col": ["store", "item"], "time_col": "day", "target_col": "sales"}
    model = MarkovForecaster(horizon=2, **columns).fit(frame)
    forecast = model.predict()
    assert list(forecast) == ["store", "item", "day", "sales"]
    assert forecast[["store", "item"]].drop_duplicates().values.tolist() == [
        [store, item] for store, item in product("AB", [1, 2, 3])
    ]
    each = NaiveForecaster(horizon=2, **columns).fit(frame).predict()
    alone = NaiveForecaster(horizon=2, **columns | {"id_col": "item"})
    alone = alone.fit(frame[frame["store"] == "B"].drop(columns="store")).predict()
    assert each[each["store"] == "B"]["sales"].tolist() == alone["sales"].tolist()
    model.save(tmp_path / "model")
    pd.testing.assert_frame_equal(load(tmp_path / "model").predict(), forecast)
    new = STORES.groupby(["store", "item"]).tail(1).assign(day=DAYS[-1] + DAYS.freq)
    assert model.update(new).predict()["day"].min() == DAYS[-1] + 2 * DAYS.freq
    table = backtest(model, frame, 2, n_windows=2)
    assert table["unique_id"].nunique() == 6 and table["y_hat"].notna().all()


def test_covariates_and_static_features_of_series_named_by_two_columns() -> None:
    columns = {"id_col": ["store", "item"], "time_col": "day", "target_col": "sales"}
    keys = STORES[["store", "item", "day"]]
    later = keys.assign(day=keys["day"] + pd.Timedelta(days=2))
    X = (
        pd.concat([keys, later])
        .drop_duplicates()
        .assign(price=lambda X: X["item"] + X["day"].dt.day)
    )
    static = keys[["store", "item"]].drop_duplicates().assign(size=range(6))
    model = MarkovForecaster(horizon=2, static=static, **columns).fit(STORES, X.sample(frac=1))
    assert len(model.predict(X=X)) == 12
    assert list(model.future_frame()) == ["store", "item", "day", "price"]
    indexed = MarkovForecaster(horizon=2, static=static.set_index(["store", "item"]), **columns)
    pd.testing.assert_frame_equal(indexed.fit(STORES, X).predict(X=X), model.predict(X=X))


def test_a_series_named_by_two_columns_is_explained() -> None:
    columns = {"id_col": ["store", "item"], "time_col": "day", "target_col": "sales"}
    explained = explain(MarkovForecaster(horizon=2, order=1, **columns).fit(STORES))
    assert explained.of(("B", 2)).equals(explained.rows.iloc[8:10].droplevel(0))
    assert explained.of().equals(explained.rows.iloc[:2].droplevel(0))


@pytest.mark.parametrize("order", list(product([0, 1, 2], repeat=3))[5:22:4])
def test_levels_are_told_apart_by_their_types(order: tuple[int, ...]) -> None:
    levels = list(dict.fromkeys([*order, 0, 1, 2]))
    names = [["store", "item", "day"][place] for place in levels]
    y = STORES.groupby(names)["sales"].sum()
    forecast = NaiveForecaster(horizon=2).fit(y).predict()
    assert forecast.index.names == names and len(forecast) == 12
    assert forecast.index.get_level_values("day").min() == DAYS[-1] + DAYS.freq
    X = y.to_frame("price").reorder_levels(["day", "item", "store"])
    assert MarkovForecaster(past_only=["price"], horizon=1).fit(y, X).predict().notna().all()


def test_frames_of_polars_may_have_several_columns_of_names() -> None:
    pl = pytest.importorskip("polars")
    columns = {"id_col": ["store", "item"], "time_col": "day", "target_col": "sales"}
    forecast = NaiveForecaster(horizon=1, **columns).fit(pl.from_pandas(STORES)).predict()
    assert forecast.columns == ["store", "item", "day", "sales"] and len(forecast) == 6


def test_stores_that_open_and_close_when_they_like_are_named_by_numbers(tmp_path: Path) -> None:
    lives = [(store, day) for store in range(1, 6) for day in DAYS[4 * store : 4 * store + 10]]
    table = pd.DataFrame(lives, columns=["store", "day"]).assign(sales=np.arange(50) % 7)
    y, _ = read(tmp_path, table.sample(frac=1, random_state=0))
    assert y.index.names == ["store", "day"] and len(y) == 50
    with pytest.raises(ValueError, match="say which: id_col"):
        read(tmp_path, table[table.index % 10 < 7])


def test_quantities_that_differ_at_each_time_by_chance_are_no_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sold = [(day, n) for day in DAYS for n in rng.choice(range(1, 9), 3, replace=False)]
    table = pd.DataFrame(sold, columns=["day", "qty"]).assign(amount=rng.normal(size=90))
    with pytest.raises(ValueError, match=r"one value per time, .* say which: id_col"):
        read(tmp_path, table)
