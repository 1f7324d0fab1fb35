"""How far forecasts lean on naive ones, and on which."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from forecast.engine.shrinkage import BORROWED, USUAL, convex_weights, naive_share


@pytest.mark.parametrize("seed", range(4))
def test_no_other_mixture_errs_less(seed):
    rng = np.random.default_rng(seed)
    errors = torch.from_numpy(
        rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3)) + rng.normal(size=3)
    )
    weights = convex_weights(errors)
    assert weights.min() >= 0 and weights.sum() == pytest.approx(1)
    others = torch.from_numpy(rng.dirichlet(np.ones(3), 5000))
    least = (errors @ others.T).square().mean(0).min().item()
    assert (errors @ weights).square().mean().item() <= least


def test_where_nothing_is_known_some_weights_are_given_all_the_same():
    for errors in (torch.zeros(5, 3), torch.full((5, 3), torch.nan), torch.empty(0, 3)):
        assert convex_weights(errors).sum() == pytest.approx(1)


def test_the_share_is_what_errors_tell_and_leans_on_the_usual_one():
    generator = torch.Generator().manual_seed(0)
    away = torch.randn(4000, 6, generator=generator)
    missed = 0.2 * away + torch.randn(4000, 6, generator=generator)
    assert naive_share(missed, away, 1e9) == pytest.approx(0.2, abs=0.02)
    assert naive_share(missed, away, BORROWED) == pytest.approx((0.2 + USUAL) / 2, abs=0.02)
    assert naive_share(missed, away, 0.0) == USUAL
    assert naive_share(9 * away, away, 1e9) == 1
    missed[0, 0] = torch.nan  # a gap tells nothing, and hides nothing
    away[0, 0] = 1e9
    assert naive_share(missed, away, 1e9) == pytest.approx(0.2, abs=0.02)
