"""Coverage is counted over futures that go on where the history stands."""

from __future__ import annotations

import coverage
import numpy as np
import pandas as pd
import pytest


@pytest.mark.parametrize("process", coverage.PROCESSES)
def test_a_longer_history_begins_as_the_shorter_one(process: str) -> None:
    short, futures = coverage.simulate(process, 3, 20)
    assert short.shape == (3, 20) and futures.shape == (3, coverage.FUTURES, coverage.HORIZON)
    longer, _ = coverage.simulate(process, 3, 24)
    np.testing.assert_array_equal(short, longer[:, :20])


def test_the_futures_of_a_random_walk_begin_at_its_last_value() -> None:
    history, futures = coverage.simulate("random walk", 4, 30)
    last = np.broadcast_to(history[:, -1, None, None], (*futures.shape[:2], 1))
    steps = np.diff(futures, axis=2, prepend=last)
    assert steps.mean() == pytest.approx(0, abs=0.03) and steps.std() == pytest.approx(1, abs=0.03)


def test_a_value_on_the_border_counts_half() -> None:
    values = np.array([0.0, 1.0, 2.0, 3.0])
    assert coverage.inside(values, np.array(1.0), np.array(2.0)).tolist() == [0, 0.5, 0.5, 0]
    assert coverage.inside(values, np.array(0.5), np.array(2.0)).tolist() == [0, 1, 0.5, 0]


def test_bands_of_the_true_model_hold_what_they_say_and_the_table_has_them(tmp_path) -> None:
    found = coverage.cell("random walk", "single", 400, "naive", series=200)
    for band, name in ((50, "50 %"), (80, "80 %"), (95, "95 %"), (80, "sum 80 %")):
        assert found[name] == pytest.approx(band, abs=2)
    assert 0 < found["se of 80 %"] < 1
    key = dict(zip(coverage.KEYS, ("random walk", "single 400", "naive", "0"), strict=True))
    pd.DataFrame([key | found]).to_csv(tmp_path / "rows.csv", index=False)
    row = coverage.table(tmp_path / "rows.csv").splitlines()[-1]
    assert row == f"| random walk | single 400 | {found['80 %']:.0f} / {found['sum 80 %']:.0f} |"
