"""Every head in `HEADS` serves a forecaster: trained, clipped, sampled, saved, updated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from forecast import LSTMForecaster, load
from forecast.engine import training
from forecast.engine.support import Support
from forecast.networks.heads.registry import HEADS
from tests.checks import numbers_of, same_frames

pytestmark = [
    pytest.mark.filterwarnings("ignore::forecast.ForecastWarning"),
    pytest.mark.usefixtures("few_steps"),
]
SMALL: dict[str, Any] = {
    "hidden_size": 8, "max_epochs": 1, "n_estimators": 2, "random_state": 0, "season_length": 1,
    "horizon": 6,
}  # fmt: skip
LEVELS = (0.01, 0.1, 0.5, 0.9, 0.99)
SHARED = [name for name, make in HEADS.items() if list(make(1).parameters())]
COUNTS = [name for name, make in HEADS.items() if make(1).counts]


def series(n: int = 120) -> pd.Series:
    """Return rare demand: counts, which every head can learn."""
    rng = np.random.default_rng(0)
    return pd.Series(rng.poisson(4, n) * (rng.random(n) < 0.8), dtype=float)


def quantiles(model: Any) -> pd.DataFrame:
    return model.predict_quantiles(14, levels=LEVELS)  # beyond the first block


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("point", ["median", pytest.param("mean", marks=pytest.mark.slow)])
def test_a_forecaster_with_any_head_forecasts_draws_saves_and_updates(
    tmp_path: Path, head: str, point: str
) -> None:
    y = series()
    model = LSTMForecaster(head=head, point=point, **SMALL).fit(y[:100])
    assert (np.diff(quantiles(model), axis=1) >= 0).all()
    assert np.isfinite(numbers_of(model.sample(14, n_samples=20, random_state=0))).all()
    model.save(tmp_path / "model.forecast")
    again = load(tmp_path / "model.forecast")
    for one in (model, again):
        one.update(y[100:])
    same_frames(quantiles(again), quantiles(model))
    same_frames(again.predict(14), model.predict(14))


@pytest.mark.parametrize("head", SHARED)
def test_what_a_head_learns_is_trained_and_clipped(
    monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    clipped: list[int] = []
    clip = training.clip

    def watched(gradient: torch.Tensor, *bounds: float | None) -> torch.Tensor:
        before = clip(gradient, *bounds)
        clipped.append(len(gradient))
        assert gradient.norm() <= 1e-3 * 1.001
        return before

    monkeypatch.setattr(training, "clip", watched)
    model = LSTMForecaster(head=head, clip_norm=1e-3, **SMALL).fit(series())
    own = list(model.model_.head.parameters())
    assert sum(one.numel() for one in own) in clipped
    fresh = HEADS[head](1).parameters()
    assert all((one != new).any() for one, new in zip(own, fresh, strict=True))


@pytest.mark.parametrize("head", COUNTS)
def test_a_head_of_counts_forecasts_whole_numbers_even_far_from_zero(head: str) -> None:
    model = LSTMForecaster(head=head, **SMALL).fit(series() + 50)
    assert model.support_ == Support(bounded=True, counts=True)
    for found in (quantiles(model), model.predict(14), model.sample(14, n_samples=20)):
        assert (numbers_of(found) == numbers_of(found).round()).all()
        assert (numbers_of(found) >= 0).all()


@pytest.mark.parametrize("head", COUNTS)
@pytest.mark.parametrize(
    ("shift", "transform"), [(0.5, None), (-3, None), (0.0, StandardScaler())], ids=str
)
def test_a_head_of_counts_refuses_what_is_no_count(
    head: str, shift: float, transform: StandardScaler | None
) -> None:
    model = LSTMForecaster(head=head, target_transform=transform, **SMALL)
    with pytest.raises(ValueError, match="whole numbers from zero on, got"):
        model.fit(series() + shift)
