"""The mean and the median of quantile functions, and paths carried over to them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from forecast.forecasters.combined.blending import LEVELS, WAYS, blend, carried

RNG = np.random.default_rng(0)
SCORES = ndtri(np.array(LEVELS))


def test_the_mean_is_that_of_the_quantile_functions() -> None:
    normal = np.stack([[[3 + 1 * SCORES]], [[5 + 3 * SCORES]]])  # (2, 1, 1, Q)
    joint = blend(normal, np.array([[0.25, 0.75]]), "mean")
    np.testing.assert_allclose(joint[0, 0], 4.5 + 2.5 * SCORES)  # the mixture would be wider


def test_equal_weights_give_the_ordinary_median() -> None:
    for members in (1, 2, 5, 6):
        parts = RNG.normal(size=(members, 4, 7))
        joint = blend(parts, np.full((4, members), 1 / members), "median")
        np.testing.assert_allclose(joint, np.median(parts, axis=0))


def test_a_median_is_not_moved_by_what_one_member_says() -> None:
    parts = np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    loud = parts.copy()
    loud[2] = 1e9
    shares = np.array([[0.3, 0.4, 0.3]])
    assert blend(parts, shares, "median") == blend(loud, shares, "median") == 2.0


def test_a_member_of_more_than_half_of_the_weight_is_the_median() -> None:
    parts = RNG.normal(size=(3, 1, 9))
    assert np.array_equal(blend(parts, np.array([[0.6, 0.2, 0.2]]), "median"), parts[0])


@pytest.mark.parametrize("way", WAYS)
def test_blended_quantiles_rise_and_lie_among_those_of_the_members(way: str) -> None:
    parts = np.sort(RNG.normal(size=(4, 30, 5, len(LEVELS))), axis=-1)
    joint = blend(parts, RNG.dirichlet(np.ones(4), size=30), way)
    assert (np.diff(joint, axis=-1) >= 0).all()
    assert (joint >= parts.min(0)).all() and (joint <= parts.max(0)).all()


def test_carried_paths_have_the_joint_quantiles_and_keep_their_order() -> None:
    own, joint = 2 * SCORES[None, None], 10 + 5 * SCORES[None, None]
    paths = 2 * RNG.normal(size=(1, 1, 4000))
    read = carried(paths, own, joint, RNG.random(paths.shape))
    np.testing.assert_allclose(read, 10 + 2.5 * paths, atol=1e-6)


def test_shared_values_are_spread_over_their_levels() -> None:
    """A member that says zero in 60 of 100 cases, beside one that never does."""
    own = np.maximum(SCORES - ndtri(0.6), 0.0)[None, None]
    paths = np.maximum(RNG.normal(size=(1, 1, 20_000)) - ndtri(0.6), 0.0)
    read = carried(paths, own, SCORES[None, None], RNG.random(paths.shape))
    found = np.quantile(read, [0.1, 0.3, 0.5, 0.7, 0.9])
    np.testing.assert_allclose(found, ndtri([0.1, 0.3, 0.5, 0.7, 0.9]), atol=0.06)
