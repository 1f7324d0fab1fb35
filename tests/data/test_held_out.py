from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.data.frames import read_frames
from forecast.data.held_out import blocks_in_turn, validation_lengths


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


def test_every_block_in_turn_has_a_value_that_counts() -> None:
    y = pd.Series(np.arange(60.0))
    panel, gap = read_frames(y), read_frames(y.mask(y.between(36, 47)))
    some = replace(panel, weights=np.where(y.between(24, 35), 0.0, 1.0))
    assert blocks_in_turn(gap, 48, 3, 12) is blocks_in_turn(some, 48, 3, 12) is None
    assert blocks_in_turn(panel, 48, 3, 12) is not None
    assert blocks_in_turn(panel, 38, 2, 12) is None  # 16 values to learn from, 22 to judge by


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5])
def test_bad_fraction(fraction: float) -> None:
    with pytest.raises(ValueError, match="`validation_fraction` must be a number in"):
        validation_lengths(read_frames(pd.Series(range(9))), fraction, 2)
