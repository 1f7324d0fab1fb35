"""What networks are told beside the values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.calendar import calendar_features
from forecast.data.frames import extend_grid, read_frames
from forecast.forecasters.neural.features import Features


@pytest.mark.parametrize(("freq", "holidays"), [("h", None), ("D", "DE"), ("MS", "DE")])
def test_the_calendar_ahead_is_that_of_the_whole_axis(freq: str, holidays: str | None) -> None:
    times = pd.date_range("2001-01-03", periods=100, freq=freq)
    y = pd.DataFrame({"unique_id": "a", "ds": times, "y": 1.0})
    earlier = y[:93].assign(unique_id="b")  # a series that ends before the axis does
    panel = read_frames(pd.concat([y, earlier]))
    assert panel.ends.tolist() == [100, 93]
    ahead = Features.fit(panel, panel.freq, holidays, None, None).ahead(panel, 9, None)
    whole, _ = calendar_features(extend_grid(panel.grid, 9), panel.freq, holidays)
    assert np.array_equal(ahead, whole[panel.ends[:, None] + np.arange(9)])
