"""The arithmetic of reconciliation equals its textbook forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from forecast.evaluation.projection import Covariance, Projection, shrinkage
from tests import naive

SUMS = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1]], dtype=float)
N = sum(SUMS.shape)


def errors(T: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(T, 3)) @ rng.normal(size=(3, N)) + rng.normal(size=(T, N))


def dense(V: Covariance) -> np.ndarray:
    return np.diag(V.diagonal) + V.factor @ V.factor.T


@pytest.mark.parametrize("T", [3, 40])
def test_the_projection_is_that_of_the_books(T):
    W = Covariance.shrunken(errors(T))
    base = np.random.default_rng(1).normal(size=(N, 6))
    projection = Projection(sparse.csr_array(SUMS), W)
    found = projection.whole(projection.parts(base))
    np.testing.assert_allclose(found, naive.projection(SUMS, dense(W)) @ base, atol=1e-8)
    np.testing.assert_allclose(found[:3], SUMS @ found[3:], atol=1e-10)


def test_what_adds_up_is_left_alone():
    parts = np.random.default_rng(1).normal(size=(5, 2))
    projection = Projection(sparse.csr_array(SUMS), Covariance.shrunken(errors(20)))
    np.testing.assert_allclose(projection.parts(projection.whole(parts)), parts)


@pytest.mark.parametrize("T", [5, 200])
def test_the_shrinkage_is_that_of_the_books(T):
    e = errors(T)
    e /= np.sqrt(np.square(e).mean(0))
    assert shrinkage(e) == pytest.approx(naive.shrinkage(e))


def test_the_variances_are_not_shrunk():
    e = errors(30)
    np.testing.assert_allclose(np.diag(dense(Covariance.shrunken(e))), np.square(e).mean(0))


def test_a_node_without_errors_leaves_the_rest_solvable():
    e = errors(30)
    e[:, 4] = 0
    projection = Projection(sparse.csr_array(SUMS), Covariance.shrunken(e))
    assert np.isfinite(projection.parts(np.ones((N, 1)))).all()
