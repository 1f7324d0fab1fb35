from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.appending import append
from forecast.data.frames import Panel, read_frames, read_update

DAYS = pd.date_range("2024-01-01", periods=10, freq="D")
WIDE = pd.DataFrame({"a": np.arange(10.0), "b": 10 + np.arange(10.0)}, index=DAYS)


def long(wide: pd.DataFrame) -> pd.DataFrame:
    melted = wide.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
    return melted[["unique_id", "ds", "y"]]


def fails(old: object, new: object, *parts: str, X: object = None, new_X: object = None) -> None:
    panel = read_frames(old, X)
    with pytest.raises(ValueError) as caught:
        append(panel, read_frames(new, new_X, freq=panel.freq, allow_unobserved=True))
    for part in parts:
        assert part in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    "as_table",
    [
        lambda wide: wide,
        long,
        lambda wide: wide["a"],
        lambda wide: [wide["a"], wide["b"]],
        lambda wide: long(wide).set_index(["unique_id", "ds"]),
    ],
)
def test_history_and_update_are_the_whole(as_table: object) -> None:
    whole = read_frames(as_table(WIDE))
    panel = read_frames(as_table(WIDE[:6]))
    for start, stop in ((6, 7), (7, 10)):
        new = read_frames(as_table(WIDE[start:stop]), freq=panel.freq, allow_unobserved=True)
        panel = append(panel, new)
    np.testing.assert_array_equal(panel.values, whole.values)
    np.testing.assert_array_equal(panel.offsets, whole.offsets)
    pd.testing.assert_index_equal(panel.grid, whole.grid, exact="equiv")


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2024-03-30 20:00", periods=10, freq="h", tz="Europe/Paris"),
        pd.date_range("2024-03-28", periods=10, freq="D", tz="Europe/Paris"),
        pd.date_range("2024-01-31", periods=10, freq="ME"),
        pd.period_range("2024-01", periods=10, freq="M"),
        pd.RangeIndex(3, 23, 2),
    ],
)
def test_any_index_with_a_gap(index: pd.Index) -> None:
    y = pd.Series(np.arange(10.0), index=index)
    panel = read_frames(y[:6])
    panel = append(panel, read_frames(y[8:], freq=panel.freq))
    expected = np.where(np.isin(np.arange(10), [6, 7]), np.nan, np.arange(10.0))
    np.testing.assert_array_equal(panel.values, expected)
    assert list(panel.times(0)) == list(index)


def test_the_order_of_series_does_not_matter_and_history_is_untouched() -> None:
    panel = read_frames(WIDE[:6])
    before = panel.values.copy()
    joined = append(panel, read_frames(WIDE[6:][["b", "a"]], freq="D"))
    assert joined.series(0).tolist() == list(range(10))
    np.testing.assert_array_equal(panel.values, before)


def test_a_series_may_have_nothing_new_to_say() -> None:
    new = WIDE[6:].assign(a=np.nan)
    joined = append(read_frames(WIDE[:6]), read_frames(new, freq="D", allow_unobserved=True))
    assert np.isnan(joined.series(0)[6:]).all()
    assert joined.ends.tolist() == [10, 10]


def test_a_series_is_updated_whatever_its_name() -> None:
    joined = append(read_frames(WIDE["a"][:6]), read_frames(WIDE["b"][6:]))
    assert joined.lengths.tolist() == [10]


def test_overlap_names_series_and_times() -> None:
    fails(WIDE[:6], WIDE[5:], "series 'a' ends at 2024-01-06", "new values start at 2024-01-06")
    fails(WIDE[3:6], WIDE[1:3], "series 'a' has new values from 2024-01-02", "2024-01-04")


def test_unknown_and_missing_series_are_named() -> None:
    new = WIDE[6:].rename(columns={"b": "c"})
    fails(WIDE[:6], new, "unknown ['c'] (1)", "missing ['b'] (1)", "Give NaN where")


def test_times_off_the_grid() -> None:
    numbers = pd.Series([1.0, 2.0, 3.0], index=[0, 2, 4])
    fails(numbers, pd.Series([1.0], index=[7]), "frequency of the history, 2", "7 does not")
    later = WIDE[6:].set_axis(WIDE.index[6:] + pd.Timedelta(hours=1))
    fails(WIDE[:6], later, "'D'", "2024-01-07 01:00:00 does not")
    panel = read_frames(WIDE[:6])
    with pytest.raises(TypeError, match="new values must hold the same kind of time"):
        append(panel, read_frames(pd.DataFrame({"a": [1.0], "b": [1.0]})))


def test_a_step_alone_beside_the_axis_is_moved_as_those_of_the_history_were(
    caplog: pytest.LogCaptureFixture,
) -> None:
    jitter = pd.to_timedelta(np.resize([9, -20, 30], 10), unit="s")
    y = pd.Series(np.arange(10.0), DAYS + jitter)
    panel = read_frames(y[:6])
    for k in range(6, 10):
        panel = append(panel, read_frames(y[k : k + 1], freq=panel.freq, sparse=True))
    assert panel.grid.equals(DAYS) and panel.values.tolist() == y.tolist()
    assert caplog.text.count("1 of 1 times are beside a regular axis and were moved") == 4
    noon = pd.Series([1.0], DAYS[-1:] + pd.Timedelta(hours=36))
    with pytest.raises(ValueError, match="must follow the frequency of the history, 'D'"):
        append(panel, read_frames(noon, freq="D", sparse=True))


def test_covariates_are_appended_by_name() -> None:
    X = pd.DataFrame({"p": np.arange(10.0), "q": -np.arange(10.0)}, index=DAYS)
    panel = read_frames(WIDE[:6], X)
    joined = append(panel, read_frames(WIDE[6:], X[["q", "p"]], freq="D"))
    np.testing.assert_array_equal(joined.X[:10], X.to_numpy())
    np.testing.assert_array_equal(joined.X[10:], X.to_numpy())
    assert joined.X_names == ("p", "q")


def test_covariates_must_go_on() -> None:
    X = pd.DataFrame({"p": np.arange(10.0)}, index=DAYS)
    fails(WIDE[:6], WIDE[6:], "columns of the history, ['p'], got []", X=X)
    fails(WIDE[:6], WIDE[6:], "columns of the history, [], got ['p']", new_X=X)
    fails(WIDE[:6], WIDE[8:], "series 'a' ends at 2024-01-06", "2 steps late", "NaN", X=X, new_X=X)
    gap = WIDE[6:].copy()
    gap.iloc[:2] = np.nan
    panel = read_frames(WIDE[:6], X)
    joined = append(panel, read_frames(gap, X, freq="D", allow_unobserved=True))
    assert np.isnan(joined.values).sum() == 4


def test_a_value_far_after_the_history_is_told_or_refused(caplog: pytest.LogCaptureFixture) -> None:
    panel = read_frames(pd.Series(1.0, pd.date_range("2024-01-01", periods=60, freq="min")))

    def after(time: str) -> Panel:
        return append(panel, read_update(panel, pd.Series([2.0], pd.DatetimeIndex([time]))))

    after("2024-01-01 01:30")
    assert not caplog.text
    assert len(after("2024-01-02 01:30").values) == 1531
    assert "goes on 1470 steps after its end, at 2024-01-02 01:30" in caplog.text
    minutes = panel.grid, *(pd.DatetimeIndex([f"2024-01-01 0{hour}:30"]) for hour in (1, 3))
    past, early, late = (pd.Series(1.0, times) for times in minutes)
    both, new = (
        pd.concat({"a": a, "b": b}, names=["id", "ds"]) for a, b in ((past, past), (early, late))
    )
    append(read_frames(both), read_update(read_frames(both), new))
    assert "series 'b' goes on 150 steps after its end" in caplog.text
    with pytest.raises(ValueError, match="a value 52594559 steps after it, at 2124-01-01"):
        after("2124-01-01 00:59")
