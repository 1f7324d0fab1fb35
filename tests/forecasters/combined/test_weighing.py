"""Weights from past errors: inverse, shrunk, and none for who is far behind."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.forecasters.combined.weighing import COMMON, LEAST, POWER, weigh

RNG = np.random.default_rng(0)
EVEN = np.ones(3)


def errors_of(n: int, origins: int, sizes: tuple[float, ...]) -> np.ndarray:
    """Return absolute errors of members of different sizes, (n, K, M)."""
    return np.abs(RNG.normal(size=(n, origins, len(sizes)))) * np.array(sizes)


def test_with_many_origins_weights_are_inverse_errors_to_a_power() -> None:
    errors = np.tile([1.0, 1.1, 1.2], (1, 4, 1))
    shares, common = weigh(errors, np.array([1e9]), EVEN)
    np.testing.assert_allclose(shares[0] / shares[0, 0], [1, 1.1**-POWER, 1.2**-POWER], rtol=1e-6)
    np.testing.assert_allclose(common, shares[0], rtol=1e-6)


def test_the_fewer_origins_the_nearer_the_weights_to_the_prior() -> None:
    errors, prior = np.tile([1.0, 2.0], (1, 4, 1)), np.array([1.0, 3.0])
    first = [weigh(errors, np.array([worth]), prior)[0][0, 0] for worth in (0, 1, 10, 100)]
    assert first[0] == prior[0] / prior.sum()
    assert first == sorted(first) and first[-1] > 0.9


def test_a_series_leans_on_all_as_on_so_many_origins() -> None:
    errors = np.concatenate([np.tile([1.0, 1.2], (9, 4, 1)), np.ones((1, 4, 2))])
    worth = np.r_[np.full(9, 1e9), COMMON]
    shares, common = weigh(errors, worth, np.ones(2))
    ratio = np.log(shares[9, 0] / shares[9, 1]) / np.log(common[0] / common[1])
    assert ratio == pytest.approx(0.5)


def test_the_unit_of_a_series_does_not_matter() -> None:
    errors = errors_of(5, 6, (1, 2, 3))
    units = np.logspace(-6, 6, 5)[:, None, None]
    left, right = (weigh(one, np.full(5, 3.0), EVEN)[0] for one in (errors, errors * units))
    np.testing.assert_allclose(left, right)


def test_without_errors_the_prior_counts() -> None:
    errors, prior = np.full((2, 3, 2), np.nan), np.array([2.0, 1.0])
    shares, common = weigh(errors, np.zeros(2), prior)
    np.testing.assert_allclose(shares, [[2 / 3, 1 / 3]] * 2)
    np.testing.assert_allclose(common, [2 / 3, 1 / 3])


def test_a_series_without_errors_has_the_common_weights() -> None:
    errors = errors_of(4, 8, (1, 2, 3))
    errors[2] = np.nan
    shares, common = weigh(errors, np.full(4, 5.0), EVEN)
    np.testing.assert_allclose(shares[2], common)


def test_a_series_of_constants_tells_nothing() -> None:
    errors = errors_of(2, 8, (1, 2, 3))
    errors[1] = 0.0
    shares, common = weigh(errors, np.full(2, 5.0), EVEN)
    np.testing.assert_allclose(shares[1], common)


def test_the_more_origins_the_further_a_series_is_from_the_others() -> None:
    errors = np.concatenate([np.tile([1.0, 2.0], (9, 4, 1)), np.tile([2.0, 1.0], (1, 4, 1))])
    told = [weigh(errors, np.full(10, worth), np.ones(2))[0][9, 1] for worth in (5, 20, 100)]
    assert told == sorted(told) and told[0] < 0.5 < told[2]


def test_whoever_is_far_behind_is_left_out() -> None:
    errors = np.tile([1.0, 1.0, 1.5], (1, 12, 1))
    worth = [np.array([size]) for size in (3.0, 60.0)]
    few, many = (weigh(errors, one, EVEN)[0][0] for one in worth)
    assert few.min() > LEAST  # a few origins do not show it
    assert many.tolist() == [0.5, 0.5, 0.0]


def test_forecasts_that_are_the_same_have_the_same_weight() -> None:
    errors = np.tile([1.0, 1.0, 1.2], (1, 20, 1))
    shares = weigh(errors, np.array([20.0]), EVEN)[0][0]
    assert shares[0] == shares[1] > shares[2]


def test_by_chance_none_of_alike_members_wins_much() -> None:
    shares, _ = weigh(errors_of(200, 12, (1, 1, 1)), np.full(200, 3.0), EVEN)
    assert shares.mean(0) == pytest.approx([1 / 3] * 3, abs=0.06)
    assert np.quantile(shares.max(1), 0.9) < 0.7


def test_of_many_alike_none_is_left_out() -> None:
    shares, common = weigh(np.ones((2, 4, 30)), np.full(2, 3.0), np.ones(30))
    np.testing.assert_allclose(shares, 1 / 30)
    np.testing.assert_allclose(common, 1 / 30)
