from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.data.appending import append
from forecast.data.frames import read_frames
from forecast.data.growing import Growing
from forecast.data.panel import Panel

HOURS = pd.date_range("2024-01-01", periods=400, freq="h")
VALUES = np.random.default_rng(0).normal(size=(400, 2))
WIDE = pd.DataFrame(VALUES, HOURS, ["a", "b"])
X = pd.DataFrame({"known": VALUES[:, 0] + 1, "past": VALUES[:, 1] - 1}, HOURS)


def read(first: int, stop: int, freq: str | None = None) -> Panel:
    rows = slice(first, stop)
    return read_frames(WIDE[rows], X[rows], freq=freq, past_only=["past"], allow_unobserved=True)


def grown(panel: Panel, *stops: int) -> Panel:
    for first, stop in zip((len(panel.grid), *stops), stops, strict=False):
        panel = append(panel, read(first, stop, "h"))
    return panel


def assert_same(panel: Panel, whole: Panel) -> None:
    for name in ("values", "X", "past", "offsets", "starts", "lengths", "ends"):
        np.testing.assert_array_equal(getattr(panel, name), getattr(whole, name))
    pd.testing.assert_index_equal(panel.grid, whole.grid)
    assert panel.freq == whole.freq


@pytest.mark.parametrize("stops", [(101,), (103, 104, 110, 400), range(101, 181)])
def test_a_panel_that_grew_is_the_whole(stops: tuple[int, ...]) -> None:
    panel, whole = grown(read(0, 100), *stops), read(0, max(stops))
    assert isinstance(panel, Growing)
    for count in (1, 50, 90):
        for ours, theirs in zip(panel.newest(count), whole.newest(count), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    pd.testing.assert_index_equal(panel.future(3).times, whole.future(3).times)
    assert_same(panel, whole)


def test_it_grows_on_after_its_arrays_were_asked_for() -> None:
    panel = grown(read(0, 100), 110)
    assert len(panel.values) == 220
    assert_same(grown(panel, 111, 113), read(0, 113))


def test_two_futures_of_one_history_do_not_mix() -> None:
    before = grown(read(0, 100), 110)
    first, other = grown(before, 111), append(before, read_other(110, 111))
    assert_same(first, read(0, 111))
    assert other.newest(1).values.tolist() == (-first.newest(1).values).tolist()
    assert_same(before, read(0, 110))


def read_other(first: int, stop: int) -> Panel:
    panel = read(first, stop, "h")
    return replace(panel, values=-panel.values)


def test_steps_are_not_copied_one_by_one() -> None:
    panel, arrays = read(0, 100), []
    for stop in range(101, 400):
        panel = append(panel, read(stop - 1, stop, "h"))
        if not any(panel.steps.parts.values is array for array in arrays):
            arrays.append(panel.steps.parts.values)
    assert len(arrays) == 4  # for 64 steps, 130, 262, 526


def test_copies_and_replacements_are_plain_panels() -> None:
    panel = grown(read(0, 100), 105)
    for plain in (pickle.loads(pickle.dumps(panel)), replace(panel)):
        assert type(plain) is Panel
        assert_same(plain, panel)


def test_series_that_do_not_end_together_are_joined() -> None:
    ragged = [WIDE["a"][:50], WIDE["b"][:60]]
    new = [WIDE["a"][50:61], WIDE["b"][60:61]]
    panel = append(read_frames(ragged), read_frames(new, freq="h"))
    assert type(panel) is Panel
    assert panel.lengths.tolist() == [61, 61]
