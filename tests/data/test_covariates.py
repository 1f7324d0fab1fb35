"""Covariates: known ones with every value, past-only ones with what there is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from forecast.data.frames import append, future_frame, future_known, read_frames, restore

DAYS = pd.date_range("2024-01-01", periods=6, freq="D")
Y = pd.Series([1.0, 2.0, np.nan, 4.0], index=DAYS[:4])
X = pd.DataFrame({"sales": range(6), "price": range(10, 16), "rain": range(20, 26)}, index=DAYS)


def long_table(kind: str) -> tuple[pd.DataFrame | pd.Series, pd.DataFrame]:
    """Two series of unequal length that end a day apart, rows shuffled."""
    first = pd.DataFrame({"unique_id": "a", "ds": DAYS[:4], "y": range(4)})
    second = pd.DataFrame({"unique_id": "b", "ds": DAYS[2:5], "y": range(5, 8)})
    y = pd.concat([first, second]).sample(frac=1, random_state=1).reset_index(drop=True)
    x = pd.concat([X.assign(unique_id=name, ds=DAYS, own=ord(name)) for name in "ab"])
    if kind == "long":
        return y, x
    return y.set_index(["unique_id", "ds"])["y"], x.set_index(["unique_id", "ds"])


def test_past_only_columns_are_read_apart() -> None:
    panel = read_frames(Y, X, past_only=["rain", "sales"])
    assert panel.X_names == ("price",)
    assert panel.past_names == ("rain", "sales")
    np.testing.assert_array_equal(panel.X[:, 0], [10, 11, 12, 13])
    np.testing.assert_array_equal(panel.past, [[20, 0], [21, 1], [22, 2], [23, 3]])


def test_past_only_values_and_rows_may_be_missing() -> None:
    holes = X[["sales"]].astype(float).drop(DAYS[1])
    holes.iloc[0] = np.nan
    panel = read_frames(Y, holes, past_only=["sales"])
    np.testing.assert_array_equal(panel.past[:, 0], [np.nan, np.nan, 2, 3])
    assert panel.X is None
    assert panel.X_names == ()


def test_a_missing_row_is_an_error_as_soon_as_a_known_column_needs_it() -> None:
    with pytest.raises(ValueError, match="1 missing, the first at 2024-01-02"):
        read_frames(Y, X.drop(DAYS[1]), past_only=["sales"])


@pytest.mark.parametrize("kind", ["long", "multi"])
def test_past_only_is_matched_by_keys(kind: str) -> None:
    y, x = long_table(kind)
    panel = read_frames(y, x, past_only=["rain"])
    rain = {name: panel.past[panel.offsets[i] : panel.offsets[i + 1], 0]
            for i, name in enumerate(panel.ids)}  # fmt: skip
    np.testing.assert_array_equal(rain["a"], [20, 21, 22, 23])
    np.testing.assert_array_equal(rain["b"], [22, 23, 24])


def test_infinity_is_refused_with_its_column_and_time() -> None:
    broken = X.astype(float)
    broken.loc[DAYS[2], "rain"] = np.inf
    with pytest.raises(ValueError, match=r"past-only covariate 'rain' .* inf at 2024-01-03"):
        read_frames(Y, broken, past_only=["rain"])


def test_nan_in_a_known_column_names_column_time_and_remedy() -> None:
    broken = X.astype(float)
    broken.loc[DAYS[2], "rain"] = np.nan
    with pytest.raises(ValueError, match=r"'rain' .* nan at 2024-01-03.*`past_only`"):
        read_frames(Y, broken)


@pytest.mark.parametrize(
    ("past_only", "x", "message"),
    [
        (["wind"], X, r"got \['wind'\], of which \['wind'\] are missing"),
        (["rain", "rain"], X, "each once"),
        (["rain"], None, "X has not been given"),
    ],
)
def test_past_only_must_name_columns_of_x(past_only, x, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        read_frames(Y, x, past_only=past_only)


def test_past_only_is_a_list() -> None:
    with pytest.raises(TypeError, match=r"past_only=\['rain'\]"):
        read_frames(Y, X, past_only="rain")


def test_the_future_needs_the_known_columns_only() -> None:
    panel = read_frames(Y, X, past_only=["sales", "rain"])
    expected = future_known(panel, X[["price"]], 2)
    np.testing.assert_array_equal(expected, [[[14], [15]]])
    changed = X.assign(rain=np.nan, sales=np.inf)
    np.testing.assert_array_equal(future_known(panel, changed, 2), expected)
    with pytest.raises(ValueError, match=r"unknown \['wind'\]"):
        future_known(panel, X.assign(wind=1), 2)


def test_no_future_is_needed_if_all_columns_are_past_only() -> None:
    panel = read_frames(Y, X, past_only=list(X))
    assert future_known(panel, None, 2) is None
    assert future_known(panel, X, 2) is None


def test_values_after_the_end_change_no_bit() -> None:
    changed = X.astype(float)
    changed.loc[DAYS[4:], ["rain", "sales"]] = [np.inf, np.nan]
    before = read_frames(Y, X, past_only=["rain", "sales"])
    after = read_frames(Y, changed, past_only=["rain", "sales"])
    np.testing.assert_array_equal(before.past, after.past)
    np.testing.assert_array_equal(before.X, after.X)


def test_append_continues_past_and_leaves_a_gap_unobserved() -> None:
    past = X[["rain", "sales"]]
    old = read_frames(Y.iloc[:2], past, past_only=["rain", "sales"])
    new = read_frames(Y.iloc[3:], past, freq="D", past_only=["rain", "sales"])
    joined = append(old, new)
    np.testing.assert_array_equal(joined.past[:, 0], [20, 21, np.nan, 23])
    np.testing.assert_array_equal(joined.values, [1, 2, np.nan, 4])


def test_append_wants_the_same_past_only_columns() -> None:
    old = read_frames(Y.iloc[:2], X, past_only=["rain"])
    for new in (read_frames(Y.iloc[3:], X, freq="D"), read_frames(Y.iloc[3:], freq="D")):
        with pytest.raises(ValueError, match=r"columns of the history.*'rain'"):
            append(old, new)


@pytest.mark.parametrize("kind", ["long", "multi"])
def test_append_equals_reading_at_once(kind: str) -> None:
    y, x = long_table(kind)
    table = y if kind == "long" else y.reset_index()
    early = (table["ds"] < DAYS[3]).to_numpy()
    whole = read_frames(y, x, past_only=["rain"])
    old = read_frames(y[early], x, past_only=["rain"])
    joined = append(old, read_frames(y[~early], x, freq="D", past_only=["rain"]))
    order = joined.ids.get_indexer(whole.ids)
    for i, j in enumerate(order):
        mine, other = slice(*whole.offsets[i : i + 2]), slice(*joined.offsets[j : j + 2])
        np.testing.assert_array_equal(whole.past[mine], joined.past[other])
        np.testing.assert_array_equal(whole.X[mine], joined.X[other])


def test_head_cuts_past_with_the_values() -> None:
    y, x = long_table("long")
    panel = read_frames(y, x, past_only=["rain"])
    head = panel.head(panel.lengths - 1)
    ends = np.cumsum(head.lengths)
    np.testing.assert_array_equal(head.past[ends - 1, 0], panel.past[panel.offsets[1:] - 2, 0])


@pytest.mark.parametrize("kind", ["long", "multi"])
def test_the_future_frame_of_keyed_tables_fills_up_and_fits(kind: str) -> None:
    y, x = long_table(kind)
    panel = read_frames(y, x, past_only=["rain", "sales"])
    skeleton = future_frame(panel, 3)
    assert list(skeleton.columns[-2:]) == ["price", "own"]
    assert skeleton[["price", "own"]].isna().all(axis=None)
    forecast = restore(panel, np.zeros((2, 3)))
    keys = ["unique_id", "ds"]
    left, right = (
        (skeleton[keys], forecast[keys]) if kind == "long"
        else (skeleton.index.to_frame(), forecast.index.to_frame())
    )  # fmt: skip
    pd.testing.assert_frame_equal(left, right)
    filled = skeleton.assign(price=range(6), own=1.0)
    np.testing.assert_array_equal(future_known(panel, filled, 3)[:, :, 0], [[0, 1, 2], [3, 4, 5]])


def test_the_future_frame_of_series_and_wide_frames_has_a_row_per_time() -> None:
    skeleton = future_frame(read_frames(Y, X), 2)
    assert list(skeleton.columns) == ["sales", "price", "rain"]
    assert skeleton.index.tolist() == DAYS[4:].tolist()
    wide = pd.DataFrame({"a": Y, "b": Y * 2})
    pd.testing.assert_frame_equal(future_frame(read_frames(wide, X), 2), skeleton)


def test_a_list_whose_series_end_years_apart_needs_no_rows_in_between() -> None:
    early, late = pd.Series([1.0, 2.0], index=[0, 1]), pd.Series([1.0, 2.0], index=[900, 901])
    panel = read_frames([early, late], pd.DataFrame({"price": range(910)}))
    assert future_frame(panel, 2).index.tolist() == [2, 3, 902, 903]


def test_no_future_frame_without_known_covariates() -> None:
    for panel in (read_frames(Y), read_frames(Y, X, past_only=list(X))):
        with pytest.raises(ValueError, match="Forecast without `X`"):
            future_frame(panel, 2)


WORDS = ["yes", "no", "yes", "no", "no", "yes"]
KINDS_OF_WORDS = {
    "text": pd.Series(WORDS, DAYS, dtype=object),
    "string": pd.Series(WORDS, DAYS, dtype="string"),
    "category": pd.Series(WORDS, DAYS, dtype="category"),
    "mixed": pd.Series([1, "a", 1, "b", "a", 1], DAYS, dtype=object),
    "numbers as text": pd.Series(list("123451"), DAYS, dtype=object),
    "numbers as categories": pd.Series([1, 2, 1, 2, 2, 1], DAYS, dtype="category"),
}


@pytest.mark.parametrize("past_only", [[], ["promo"]])
@pytest.mark.parametrize("kind", KINDS_OF_WORDS)
def test_the_remedy_for_words_among_covariates_works(kind: str, past_only: list[str]) -> None:
    X = pd.DataFrame({"promo": KINDS_OF_WORDS[kind], "price": 1.0})
    with pytest.raises(TypeError, match="covariate 'promo' must hold real numbers, got") as caught:
        read_frames(Y, X, past_only=past_only)
    meant = {"pd": pd, "X": X}
    exec(str(caught.value).split(": ")[-1].split(", for the past")[0], meant)
    panel = read_frames(Y, meant["X"])
    assert panel.X_names == tuple(meant["X"].columns)
    assert len(panel.X_names) == (2 if "numbers" in kind else 1 + X["promo"].nunique())


def test_the_remedy_for_words_in_polars_works() -> None:
    y = pl.DataFrame({"unique_id": ["a"] * 6, "ds": DAYS.to_numpy(), "y": range(6)})
    X = y.drop("y").with_columns(promo=pl.Series(WORDS))
    with pytest.raises(TypeError, match=r"X = X.to_dummies\('promo'\), for the past"):
        read_frames(y, X)
    assert read_frames(y, X.to_dummies("promo")).X_names == ("promo_no", "promo_yes")


def test_days_of_covariates_are_aggregated_as_told(caplog: pytest.LogCaptureFixture) -> None:
    weeks = pd.date_range("2024-01-07", periods=10, freq="W")
    y = pd.Series(np.arange(10.0), weeks)
    X = pd.DataFrame({"rain": np.arange(70.0)}, pd.date_range("2024-01-01", weeks[-1]))
    read_frames(y, X)
    how = caplog.text.split("of each series: ")[1].split(", or")[0]
    assert how == "X.resample('W-SUN').mean()"
    caplog.clear()
    panel = read_frames(y, eval(how, {"X": X}))
    assert not caplog.records
    np.testing.assert_allclose(panel.X[1], X.iloc[7:14].mean())


@pytest.mark.parametrize(("hour", "told"), [(3, False), (18, True)])
def test_covariates_of_an_evening_taken_for_the_next_day_are_told(
    hour: int, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    days = pd.date_range("2024-01-01", periods=9, freq="D")
    X = pd.DataFrame({"price": np.arange(11.0)}, pd.date_range("2023-12-31", periods=11))
    read = read_frames(pd.Series(np.arange(9.0) ** 2, days), X.shift(freq=f"{hour}h"))
    assert read.X is not None and read.X[0, 0] == (0 if told else 1)
    assert ("taken for the midnight after them, the first at 2023-12-31 18" in caplog.text) == told


def test_first_days_of_months_for_the_last_are_no_evenings(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ends = pd.date_range("2024-01-31", periods=9, freq="ME")
    X = pd.DataFrame({"price": np.arange(9.0)}, ends.to_period("M").start_time)
    read = read_frames(pd.Series(np.arange(9.0) ** 2, ends), X)
    assert read.X is not None and read.X[0, 0] == 0 and "taken for" not in caplog.text
