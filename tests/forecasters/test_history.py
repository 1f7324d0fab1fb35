"""Tests of what forecasters read off a history."""

import numpy as np
import pandas as pd

from forecast.data.frames import read_frames
from forecast.forecasters.history import errors_told, series_numbers


def test_errors_come_series_after_series_and_are_changes_where_a_rule_has_none() -> None:
    old, young, gappy = np.arange(40.0), [1.0, 3.0, 2.0], [5.0, np.nan, 5.0, np.nan, 5.0]
    panel = read_frames([pd.Series(y, name=k) for k, y in enumerate((young, old, gappy, [4.0]))])
    missed = np.where(series_numbers(panel) == 1, panel.values - 7, np.nan)
    missed[:10] = np.nan
    errors, series = errors_told(panel, missed, series_numbers(panel))
    assert series.tolist() == [0] * 2 + [1] * 40 + [2, 3]
    np.testing.assert_array_equal(errors, [2, -1, *missed[3:43], 0, 0])
