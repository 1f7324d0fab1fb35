"""Rare demand: Croston's means from their definitions, and the distribution around them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import CrostonForecaster
from forecast.forecasters.registry import SPELLINGS

VARIANTS = ("croston", "sba", "tsb")


def rare(length: int = 400, probability: float = 0.2, seed: int = 0) -> pd.Series:
    rng = np.random.default_rng(seed)
    sizes = 0.5 + rng.gamma(4, 0.5, size=length)  # mean 2.5
    return pd.Series(np.where(rng.random(length) < probability, sizes, 0.0))


def by_hand(y: np.ndarray, alpha: float, variant: str) -> float:
    """Return the forecast, step by step as it is written in the papers."""
    demands, intervals = y[y > 0], np.diff(np.flatnonzero(y > 0), prepend=-1)
    z, q, p, since = demands.mean(), intervals.mean(), (y > 0).mean(), 0
    for value in y:
        since += 1
        p += alpha * ((value > 0) - p)
        if value > 0:
            z += alpha * (value - z)
            q += alpha * (since - q)
            since = 0
    return {"croston": z / q, "sba": (1 - alpha / 2) * z / q, "tsb": p * z}[variant]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("alpha", [0.05, 0.3, 0.9])
def test_the_mean_is_that_of_the_papers(variant: str, alpha: float) -> None:
    y = rare(60)
    model = CrostonForecaster(variant, alpha=alpha).fit(y)
    expected = by_hand(y.to_numpy(), alpha, variant)
    np.testing.assert_allclose(model.predict(3), [expected] * 3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_finds_the_mean_demand(variant: str) -> None:
    found = [CrostonForecaster(variant).fit(rare(seed=k)).predict(1).item() for k in range(30)]
    assert np.mean(found) == pytest.approx(0.2 * 2.5, rel=0.12)


def test_only_tsb_forgets_what_is_no_longer_asked_for() -> None:
    y = pd.concat([rare(100), pd.Series(np.zeros(60))], ignore_index=True)
    before, after = (
        {name: CrostonForecaster(name).fit(part).predict(1).item() for name in VARIANTS}
        for part in (y[:100], y)
    )
    assert after["tsb"] < 0.02 * before["tsb"]
    assert after["croston"] > 0.4 * before["croston"]


def test_quantiles_and_paths_are_those_of_the_demand() -> None:
    y = rare(2000)
    model = CrostonForecaster(alpha=0.01).fit(y)
    levels = [0.1, 0.5, 0.75, 0.85, 0.9, 0.95]
    quantiles = model.predict_quantiles(2, levels=levels)
    np.testing.assert_allclose(quantiles.iloc[0], np.quantile(y, levels), atol=0.25)
    paths = model.sample(2, n_samples=5000, random_state=0).to_numpy()
    assert (paths > 0).mean() == pytest.approx(model.probability_[0], abs=0.01)
    assert paths.mean() == pytest.approx(model.predict(1).item(), rel=0.05)


def test_missing_values_take_no_part() -> None:
    y = rare(80)
    gappy = y.reindex(np.arange(0, 160) / 2).set_axis(range(160))  # every second is missing
    expected = CrostonForecaster().fit(y).predict(1).item()
    assert CrostonForecaster().fit(gappy).predict(1).item() == pytest.approx(expected)


def test_without_any_demand_there_is_none_to_come() -> None:
    y = pd.DataFrame({"never": np.zeros(30), "rare": rare(30)})
    model = CrostonForecaster().fit(y)
    assert (model.predict(4)["never"] == 0).all() and (model.predict(4)["rare"] > 0).all()
    assert (model.sample(4, random_state=0)["never"] == 0).to_numpy().all()


def test_returned_goods_have_the_lowest_levels() -> None:
    y = pd.Series([0.0, 2.5, 0.0, -2.5, 0.0, 2.5, 0.0, -2.5] * 5)
    model = CrostonForecaster().fit(y)
    assert model.predict(1).item() == pytest.approx(0, abs=0.02)
    quantiles = model.predict_quantiles(1, levels=[0.1, 0.3, 0.5, 0.7, 0.9]).iloc[0]
    np.testing.assert_allclose(quantiles, [-2.5, 0, 0, 0, 2.5], atol=0.1)


def test_all_three_have_their_names() -> None:
    for name in VARIANTS:
        assert SPELLINGS[name].build().variant == name


def test_what_it_does_not_know_is_named() -> None:
    with pytest.raises(ValueError, match="`variant` must be one of"):
        CrostonForecaster("holt").fit(rare())
    with pytest.raises(ValueError, match="`alpha` must be a number in"):
        CrostonForecaster(alpha=0).fit(rare())
