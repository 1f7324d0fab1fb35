"""Symbols and their numbers, and tables of symbols read as tables of numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast import SymbolForecaster
from forecast.data.frames import read_frames, restore
from forecast.data.symbols import coded, is_bare, symbols_in
from forecast.data.vocabulary import END, MISSING, OWN, UNKNOWN, Vocabulary


@given(st.lists(st.sampled_from("abcdef"), min_size=1))
@pytest.mark.mission("M39")
def test_known_symbols_come_back_and_others_are_unknown(symbols: list[str]) -> None:
    words = Vocabulary.of(pd.Series(symbols))
    assert words.decode(words.encode(symbols)).tolist() == symbols
    assert words.encode(["z"]).tolist() == [UNKNOWN] and words.decode([UNKNOWN]) == "<unknown>"
    rows = words.one_hot(pd.Series(words.encode([*symbols, "z"])))
    assert (rows.sum(-1) == 1).all() and rows.shape == (len(symbols) + 1, len(words))


def test_what_is_missing_is_no_symbol() -> None:
    words = Vocabulary.of(pd.Series(["b", None, "a", np.nan]))
    assert words.symbols.tolist() == ["a", "b"]
    assert words.encode(["a", None, pd.NA]).tolist() == [OWN, MISSING, MISSING]
    assert words.decode([MISSING]).tolist() == [None]


def test_the_end_is_a_symbol_of_its_own() -> None:
    words = Vocabulary.of(pd.Series(["a", "stop", "a"]), end="stop")
    assert words.encode(["a", "stop"]).tolist() == [OWN, END]
    assert words.decode([END, OWN]).tolist() == ["stop", "a"]


@pytest.mark.parametrize("end", [None, "stop"])
def test_words_of_pandas_own_type_are_words(end: str | None) -> None:
    words = pd.Series(["a", "b", None], dtype="string")
    known = Vocabulary.of(words, end=end)
    assert known.symbols.tolist() == ["a", "b"]
    assert known.encode(words).tolist() == [OWN, OWN + 1, MISSING]


def test_booleans_of_pyarrow_are_symbols() -> None:
    open_or_not = pd.Series([True, False, None], dtype="bool[pyarrow]")
    assert Vocabulary.of(open_or_not).encode(open_or_not).tolist() == [OWN + 1, OWN, MISSING]


def test_a_date_may_be_the_end_as_text() -> None:
    days = pd.Series(pd.date_range("2024-01-01", periods=3))
    assert Vocabulary.of(days, end="2024-01-02").encode(days).tolist() == [OWN, END, OWN + 1]


@pytest.mark.parametrize(
    "symbols",
    [
        [1, 2, 3],
        [0.5, 1.5],
        [True, False],
        [("a", 1), "b"],
        [1, "a"],
        pd.date_range("2024", periods=2),
    ],
    ids=str,
)
def test_symbols_may_be_of_any_type(symbols: list[object]) -> None:
    words = Vocabulary.of(pd.Series(symbols))
    assert sorted(map(str, words.decode(words.encode(symbols)).tolist())) == sorted(
        map(str, pd.Series(symbols).tolist())
    )


def test_numbers_keep_their_type() -> None:
    assert Vocabulary([1, 2]).decode([OWN]).dtype == np.int64
    assert Vocabulary([1, 2]).decode([OWN, END]).dtype == object


def test_intervals_hold_values() -> None:
    values = pd.Series([0.0, 1.0, 2.0, 9.0])
    bins = Vocabulary.of(pd.cut(values, [-np.inf, 1, 3, np.inf]))
    assert (
        bins.encode(values).tolist()
        == bins.encode(pd.cut(values, [-np.inf, 1, 3, np.inf])).tolist()
    )
    assert bins.encode([0.5, 100.0, np.nan]).tolist() == [OWN, OWN + 2, MISSING]


def test_categories_keep_their_order_and_unused_ones_are_dropped() -> None:
    states = pd.Series(pd.Categorical(["slow", "fast"], ["slow", "medium", "fast"], ordered=True))
    assert Vocabulary.of(states).symbols.tolist() == ["slow", "fast"]


def test_no_symbol_is_refused() -> None:
    with pytest.raises(ValueError, match="at least min_count=3 times .* Lower|lower `min_count`"):
        Vocabulary.of(pd.Series(["a", "b"]), min_count=3)
    with pytest.raises(ValueError, match="name each symbol once, and none '<start>'"):
        Vocabulary(["a", "<start>"])
    with pytest.raises(ValueError, match="at least one symbol to learn, got none"):
        SymbolForecaster().fit([[]])


DAYS = pd.date_range("2024-01-01", periods=4, name="day")
LONG = pd.DataFrame({"unique_id": list("xxyy"), "ds": [1, 2, 1, 2], "y": list("abba")})


@pytest.mark.parametrize(
    "y",
    [
        pd.Series(list("abca"), DAYS, name="s"),
        pd.Series(list("abca"), DAYS, name="s", dtype="category"),
        pd.DataFrame({"s": list("abca"), "t": list("bbba")}, DAYS),
        [pd.Series(list("ab"), DAYS[:2]), pd.Series(list("abb"), DAYS[:3])],
        LONG,
        LONG.set_index(["unique_id", "ds"]),
        LONG.set_index(["unique_id", "ds"])["y"],
    ],
    ids=["series", "category", "wide", "list", "long", "multi frame", "multi series"],
)
def test_tables_of_every_kind_hold_symbols(y: object) -> None:
    words = Vocabulary.of(symbols_in(y))
    numbers = coded(y, words)
    panel = read_frames(numbers)
    assert len(symbols_in(y)) == len(panel.values)
    ahead = restore(panel, words.decode(np.full((panel.n_series, 2), OWN)))
    assert set(symbols_in(ahead)) == {"a"}
    assert type(ahead) is type(y)
    assert symbols_in(y).isin(list("abc")).all()  # not changed


@pytest.mark.parametrize("name", ["polars", "pyarrow"])
@pytest.mark.parametrize("columns", [["unique_id", "ds", "y"], ["ds", "y"]], ids=["long", "one"])
def test_tables_of_other_libraries(name: str, columns: list[str]) -> None:
    library = pytest.importorskip(name)
    rows = LONG[:2][columns]
    y = library.DataFrame(rows) if name == "polars" else library.Table.from_pandas(rows)
    words = Vocabulary.of(symbols_in(y))
    panel = read_frames(coded(y, words))
    assert panel.values.tolist() == [OWN, OWN + 1]
    ahead = restore(panel, words.decode([[OWN + 1]]))
    assert type(ahead) is type(y)
    assert list(ahead["y"])[0] == "b" or ahead["y"].to_pylist() == ["b"]


def test_lists_hold_sequences_or_series() -> None:
    assert is_bare([["a"], ("b", "c"), np.array(["a"])]) and is_bare([[]])
    assert not is_bare([pd.Series(["a"])]) and not is_bare(LONG)
    for y in (["a", "b"], ["a b"], [1, 2]):
        with pytest.raises(TypeError, match=r"Put a single sequence into a list: \[y\]"):
            is_bare(y)
