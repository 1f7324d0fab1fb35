"""Past origins: which, of which series, and that nothing later is seen there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import NaiveForecaster
from forecast.data.frames import read_frames
from forecast.data.panel import Panel
from forecast.forecasters.combined.trial import MOST_ORIGINS, SERIES, Trial


def panel_of(n: int, length: int) -> Panel:
    values = np.random.default_rng(0).normal(size=(length, n)).cumsum(0)
    return read_frames(pd.DataFrame(values, columns=[f"s{i}" for i in range(n)]))


@pytest.mark.parametrize(("n", "length", "horizon"), [(1, 100, 12), (3, 40, 18), (250, 60, 6)])
def test_truth_is_what_came_after_each_origin(n: int, length: int, horizon: int) -> None:
    panel = panel_of(n, length)
    trial = Trial.of(panel, horizon)
    assert trial is not None and len(trial.rows) <= SERIES
    assert len(trial.ends) <= MOST_ORIGINS
    for k, ends in enumerate(trial.ends):
        for i, row in enumerate(trial.rows):
            came = panel.series(int(row))[ends[i] : ends[i] + trial.steps]
            assert np.array_equal(trial.truth[i, k, : len(came)], came)
    # every horizon is whole, and the newest reaches the end
    assert np.isfinite(trial.truth).all()
    assert (trial.ends[-1] + trial.steps == length).all()


def test_a_long_horizon_has_fewer_origins_further_apart() -> None:
    near, far = (Trial.of(panel_of(1, 600), horizon) for horizon in (12, 100))
    assert near is not None and far is not None
    assert (len(near.ends), near.apart) == (12, 1)
    assert len(far.ends) <= 4 and far.apart >= 25


def test_overlapping_origins_count_less() -> None:
    one_step, many = (Trial.of(panel_of(2, 200), horizon) for horizon in (1, 12))
    assert one_step is not None and many is not None
    assert one_step.independent.tolist() == [12, 12]
    assert many.independent.max() < 3


def test_the_shortest_series_have_no_trial() -> None:
    assert Trial.of(panel_of(3, 2), 4) is None


def test_series_of_twice_what_is_held_back_are_tried() -> None:
    lengths = (90, 46, 45)  # of which 23 are held back
    trial = Trial.of(read_frames([pd.Series(np.arange(float(n))) for n in lengths]), 12)
    assert trial is not None and trial.rows.tolist() == [0, 1]
    assert trial.ends[0].tolist() == [67, 23]


def test_a_member_is_asked_as_if_it_were_then() -> None:
    panel = panel_of(2, 80)
    trial = Trial.of(panel, 3)
    assert trial is not None
    member = NaiveForecaster("last")._fitted_to(panel.head(trial.ends[0]), 3, 1)
    quantiles = trial.quantiles(member)
    for k, ends in enumerate(trial.ends):
        last = np.array([panel.series(i)[ends[i] - 1] for i in range(2)])
        np.testing.assert_allclose(quantiles[:, k, :, 1], np.repeat(last[:, None], 3, 1))
    error = np.abs(trial.truth - quantiles[..., 1]).mean(2)
    np.testing.assert_allclose(trial.errors(quantiles), error)
