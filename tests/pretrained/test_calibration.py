"""What past errors say of widths and of paths: slow twins, and what was planted is found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from forecast.pretrained.calibration import (
    CUT_SQUARE,
    LARGEST,
    LIKE_NETWORK,
    LIKE_PANEL,
    SCORES,
    chained,
    common_width,
    dependence,
    icdf,
    normal_scores,
    own_widths,
    squares_of,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def drawn(rng, *shape):
    """Return rising quantiles, (*shape, Q)."""
    return rng.exponential(size=(*shape, len(SCORES))).cumsum(-1)


def slow_icdf(table, score):
    """Go along the levels until the piece is found that holds the score."""
    k = 1
    while k < len(SCORES) - 1 and SCORES[k] < score:
        k += 1
    slope = (table[k] - table[k - 1]) / (SCORES[k] - SCORES[k - 1])
    return table[k - 1] + slope * (score - SCORES[k - 1])


def test_quantiles_are_read_as_piece_by_piece(rng):
    table, scores = drawn(rng, 4, 3), np.array([-5.0, -1.96, -0.3, 0.0, 0.1, 1.0, 2.5])
    found = icdf(table, scores)
    for k, row in np.ndenumerate(found):
        assert row == pytest.approx(slow_icdf(table[k[:2]], scores[k[2]]))


def test_every_series_may_be_read_at_its_own_scores(rng):
    table, scores = drawn(rng, 4, 3), rng.normal(size=(4, 1, 5))
    found = icdf(table, scores)
    assert found.shape == (4, 3, 5)
    np.testing.assert_allclose(found[2], icdf(table[2], scores[2]))


def test_scores_undo_quantiles(rng):
    table, scores = drawn(rng, 4, 3), rng.normal(scale=2, size=(4, 3, 1))
    values = icdf(table, scores)[..., 0]
    np.testing.assert_allclose(normal_scores(table, values), scores[..., 0])


@pytest.mark.parametrize(
    ("last_zero", "expected"), [(2, SCORES[2]), (7, 0.0), (11, 0.0), (14, 0.0)]
)
def test_on_a_step_the_score_nearest_to_zero_counts(last_zero, expected):
    table = np.maximum(np.arange(len(SCORES)) - last_zero, 0).astype(float)
    assert normal_scores(table, np.array(0.0)) == pytest.approx(expected)


def test_values_of_a_truthful_forecast_have_standard_normal_scores(rng):
    table = np.exp(SCORES)  # log-normal: the pieces are short where most values lie
    found = normal_scores(np.broadcast_to(table, (4000, 15)), np.exp(rng.normal(size=4000)))
    assert found.mean() == pytest.approx(0, abs=0.05)
    assert (np.abs(found) < norm.ppf(0.9)).mean() == pytest.approx(0.8, abs=0.02)


def test_the_cut_square_is_that_of_a_normal():
    tail = 2 * norm.sf(LARGEST)
    inside = 1 - tail - 2 * LARGEST * norm.pdf(LARGEST)  # of s^2 over |s| < c, by parts
    assert inside + tail * LARGEST**2 == pytest.approx(CUT_SQUARE, abs=5e-4)


def slow_widths(scores):
    """Return the width of the panel and of every series, by loops."""
    squares, worth = [], []
    for series in scores:
        known = [s for s in series.ravel() if not np.isnan(s)]
        cut = [min(abs(s), LARGEST) ** 2 for s in known]
        squares.append(np.mean(cut) / CUT_SQUARE if known else 0.0)
        worth.append(len(known) / scores.shape[2])
    total = sum(w * s for w, s in zip(worth, squares, strict=True))
    common = ((total + LIKE_NETWORK) / (sum(worth) + LIKE_NETWORK)) ** 0.5
    own = [
        ((w * s + LIKE_PANEL * common**2) / (w + LIKE_PANEL)) ** 0.5
        for w, s in zip(worth, squares, strict=True)
    ]
    return common, own


def test_widths_are_those_of_the_loops(rng):
    scores = rng.normal(scale=1.5, size=(6, 10, 4))
    scores[rng.random(scores.shape) < 0.3] = np.nan
    scores[2] = np.nan  # nothing known: as the panel
    common, own = slow_widths(scores)
    assert common_width(scores) == pytest.approx(common)
    np.testing.assert_allclose(own_widths(scores, common), own)
    assert own[2] == pytest.approx(common)
    assert squares_of(scores)[1][2] == 0


@pytest.mark.parametrize("planted", [0.6, 1.0, 1.3])
def test_a_planted_width_is_found_from_many_series(rng, planted):
    scores = planted * rng.normal(size=(2000, 16, 6))
    assert common_width(scores) == pytest.approx(planted, abs=0.08)


def test_one_outlier_widens_no_band_beyond_reason(rng):
    scores = rng.normal(size=(1, 16, 6))
    before = own_widths(scores, 1.0)
    scores[0, 3] = 1e6
    assert own_widths(scores, 1.0) / before < 1.15


def test_nothing_known_leaves_the_network_as_it_is():
    nothing = np.full((2, 4, 3), np.nan)
    assert common_width(nothing) == 1 and own_widths(nothing, 1.0).tolist() == [1, 1]
    correlation, lasting = dependence(nothing, np.arange(1, 4))
    np.testing.assert_allclose(correlation, np.sqrt([1 / 2, 2 / 3]))  # a random walk's
    assert lasting == pytest.approx(0, abs=1e-9)


def paths_of(rng, correlation, lasting):
    """Return the scores (n, K, h) of paths."""
    draws = rng.normal(size=(len(correlation) + 2, 400, 10))
    return np.stack(list(chained(draws, correlation, lasting)), -1)


@pytest.mark.parametrize("lasting", [0.0, 0.5])
@pytest.mark.parametrize("planted", [0.2, 0.9])
def test_a_planted_dependence_is_found(rng, planted, lasting):
    scores = paths_of(rng, np.full(7, planted), lasting)
    correlation, found = dependence(scores, np.arange(1, 9))
    np.testing.assert_allclose(correlation, planted, atol=0.1)
    assert found == pytest.approx(lasting, abs=0.1)


@pytest.mark.parametrize("lasting", [0.0, 0.3])
def test_between_steps_that_were_looked_at_dependence_is_even(rng, lasting):
    scores = paths_of(rng, np.full(8, 0.8), lasting)
    found, _ = dependence(scores[..., [0, 3, 8]], np.array([1, 4, 9]))  # 0.8^3 and 0.8^5 are seen
    assert len(found) == 8
    np.testing.assert_allclose(found, 0.8, atol=0.05)


def test_sums_of_paths_are_as_wide_as_those_of_past_errors(rng):
    level_in_doubt = (rng.normal(size=(400, 8, 1)) + 2 * rng.normal(size=(400, 8, 12))) / np.sqrt(5)
    paths = paths_of(rng, *dependence(level_in_doubt, np.arange(1, 13)))
    assert paths.sum(-1).std() == pytest.approx(level_in_doubt.sum(-1).std(), rel=0.05)


def test_chained_scores_stay_standard_normal_and_belong_together(rng):
    correlation = np.array([0.5, 0.9])
    steps = list(chained(rng.normal(size=(6, 1, 40_000)), correlation, 0.0))
    for j, r in enumerate([0.5, 0.9, 0.9, 0.9]):  # beyond the last it holds on
        assert steps[j].std() == pytest.approx(1, abs=0.02)
        assert np.corrcoef(steps[j], steps[j + 1])[0, 1] == pytest.approx(r, abs=0.02)
    single = list(chained(np.ones((3, 1, 1)), np.zeros(0), 0.0))  # of one step nothing is chained
    assert [float(one.item()) for one in single] == [1, 1]


@pytest.mark.parametrize("horizon", [1, 2])
def test_of_one_step_and_its_neighbour_nothing_lasts(horizon, rng):
    for _ in range(50):
        scores = rng.normal(size=(1, 16, horizon))
        assert dependence(scores, np.arange(1, horizon + 1))[1] == 0
