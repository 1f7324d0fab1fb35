from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.data.frames import read_frames
from forecast.data.windows import gather, validation_lengths, window_origins


def naive_windows(panel: object, n: int, horizon: int, stride: int, complete: bool) -> list:
    """Return (series, inputs, targets) one by one: the slow, obvious twin."""
    found = []
    for i in range(panel.n_series):
        values = panel.series(i)
        for start in range(0, len(values) - n - horizon + 1, stride):
            window = values[start : start + n + horizon]
            if not (complete and np.isnan(window).any()):
                found.append((i, window[:n].tolist(), window[n:].tolist()))
    return found


@pytest.mark.mission("M01")
def test_ten_rows_give_six_windows() -> None:
    panel = read_frames(pd.DataFrame({"y": np.arange(10.0)}))
    series, origins = window_origins(panel, 3, 2)
    inputs, targets = gather(panel.values, origins, 3, 2)
    assert series.tolist() == [0] * 6
    assert inputs.tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6], [5, 6, 7]]
    assert targets.tolist() == [[3, 4], [4, 5], [5, 6], [6, 7], [7, 8], [8, 9]]


@pytest.mark.mission("M01")
def test_one_step_ahead_gives_T_minus_n_examples() -> None:
    panel = read_frames(pd.Series(range(100)))
    assert len(window_origins(panel, 7, 1)[0]) == 93


@pytest.mark.mission("M01")
def test_no_window_crosses_a_series_border_or_a_gap() -> None:
    long = pd.DataFrame(
        {
            "unique_id": ["a"] * 6 + ["b"] * 7,
            "ds": [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 6, 7, 8],
            "y": [1.0, 2, 3, 4, 5, 6, 101, 102, 103, 104, 106, 107, 108],
        }
    )
    panel = read_frames(long)
    series, origins = window_origins(panel, 2, 1, complete=True)
    inputs, targets = gather(panel.values, origins, 2, 1)
    assert series.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert inputs.tolist() == [[1, 2], [2, 3], [3, 4], [4, 5], [101, 102], [102, 103], [106, 107]]
    assert targets.ravel().tolist() == [3, 4, 5, 6, 103, 104, 108]


@pytest.mark.mission("M01")
def test_covariates_are_cut_with_the_same_windows() -> None:
    y = pd.Series(np.arange(8.0))
    X = pd.DataFrame({"p": np.arange(8.0), "q": -np.arange(8.0)})
    panel = read_frames(y, X)
    _, origins = window_origins(panel, 3, 2)
    inputs, targets = gather(panel.values, origins, 3, 2)
    past, future = gather(panel.X, origins, 3, 2)
    assert (past.shape, future.shape) == ((4, 3, 2), (4, 2, 2))
    np.testing.assert_array_equal(past[..., 0], inputs)
    np.testing.assert_array_equal(future[..., 1], -targets)


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    n=st.integers(1, 5),
    horizon=st.integers(1, 4),
    stride=st.integers(1, 4),
    complete=st.booleans(),
    data=st.data(),
)
@pytest.mark.mission("M01")
def test_windows_equal_the_loop(
    lengths: list[int], n: int, horizon: int, stride: int, complete: bool, data: st.DataObject
) -> None:
    values = np.arange(float(sum(lengths)))
    holes = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    parts = [
        pd.Series(part) for part in np.split(np.where(holes, np.nan, values), np.cumsum(lengths))
    ]
    parts = [part for part in parts[:-1] if part.notna().any()] or [pd.Series([1.0])]
    panel = read_frames(parts)
    series, origins = window_origins(panel, n, horizon, stride, complete=complete)
    inputs, targets = gather(panel.values, origins, n, horizon)
    expected = naive_windows(panel, n, horizon, stride, complete)
    assert series.tolist() == [i for i, _, _ in expected]
    np.testing.assert_array_equal(inputs, np.array([x for _, x, _ in expected]).reshape(-1, n))
    np.testing.assert_array_equal(
        targets, np.array([z for _, _, z in expected]).reshape(-1, horizon)
    )


def test_a_series_that_is_too_short_gives_no_window() -> None:
    panel = read_frames([pd.Series([1.0, 2.0]), pd.Series(range(5))])
    assert window_origins(panel, 3, 2)[0].tolist() == [1]


@pytest.mark.parametrize(
    ("argument", "value"), [("context_length", 0), ("horizon", -3), ("stride", 0)]
)
def test_bad_windows(argument: str, value: int) -> None:
    options = {"context_length": 2, "horizon": 2, "stride": 1} | {argument: value}
    with pytest.raises(ValueError, match=f"`{argument}` must be a positive integer, got {value}"):
        window_origins(read_frames(pd.Series(range(9))), **options)


@pytest.mark.parametrize(
    ("length", "fraction", "horizon", "training"),
    [(100, 0.1, 8, 90), (100, 0.1, 20, 80), (30, 0.1, 8, 22), (9, 0.1, 8, 5), (1, 0.1, 8, 1),
     (2, 0.9, 1, 1), (100, 0.9, 1, 50)],
)  # fmt: skip
def test_validation_is_the_last_part_in_time(
    length: int, fraction: float, horizon: int, training: int
) -> None:
    panel = read_frames(pd.Series(np.arange(float(length))))
    lengths = validation_lengths(panel, fraction, horizon)
    assert lengths.tolist() == [training]
    assert panel.head(lengths).values.tolist() == list(range(training))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_series", "validating"), [(4, 4), (99, 99), (100, 25), (403, 100), (2048, 512), (6000, 512)]
)
def test_of_many_series_every_fourth_validates(n_series: int, validating: int) -> None:
    sizes = np.random.default_rng(0).integers(20, 30, n_series)
    panel = read_frames([pd.Series(np.arange(float(size))) for size in sizes])
    lengths = validation_lengths(panel, 0.1, 8)
    chosen = np.flatnonzero(lengths < sizes)
    assert len(chosen) == validating
    np.testing.assert_array_equal(lengths[chosen], sizes[chosen] - 8)
    np.testing.assert_array_equal(np.delete(lengths, chosen), np.delete(sizes, chosen))
    assert (chosen[0], chosen[-1]) == (0, n_series - 1)
    assert np.ptp(np.diff(chosen)) <= 1  # evenly spread


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5])
def test_bad_fraction(fraction: float) -> None:
    with pytest.raises(ValueError, match="`validation_fraction` must be a number in"):
        validation_lengths(read_frames(pd.Series(range(9))), fraction, 2)
