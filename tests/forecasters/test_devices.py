"""A forecaster on a GPU says what it says on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from forecast import LSTMForecaster, MLPForecaster, RNNForecaster, Seq2SeqForecaster, load
from forecast.engine import training

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore::forecast.ForecastWarning"),
]
MODELS: dict[str, Any] = {
    "window": lambda **options: MLPForecaster(head="normal", **options),
    "gru": lambda **options: RNNForecaster(cell="gru", head="huber", **options),
    "lstm": lambda **options: LSTMForecaster(num_layers=2, **options),
    "seq2seq": lambda **options: Seq2SeqForecaster(attention=True, **options),
}
LEVELS = (0.1, 0.5, 0.9)


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train for a few steps; let cuDNN round as the CPU does, not to TensorFloat-32."""
    monkeypatch.setattr(training, "STEPS_PER_EPOCH", 5)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def panel(length: int = 300) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two daily cycles of hours, one with gaps, and a covariate of all hours."""
    hours = pd.date_range("2024-03-01", periods=length + 48, freq="h")
    rng = np.random.default_rng(0)
    plan = pd.DataFrame({"plan": rng.normal(size=len(hours))}, hours)
    wave = np.cos(np.arange(length) * np.pi / 12)[:, None] + 0.2 * rng.normal(size=(length, 2))
    frame = pd.DataFrame(wave * [1.0, 50.0] + [5.0, 0.0], hours[:length], columns=["a", "b"])
    return frame.mask(rng.random(frame.shape) < 0.05), plan


def spreads(model: Any, plan: pd.DataFrame) -> np.ndarray:
    """Return points, quantiles and paths in spreads of their series, beyond the first block."""
    points = model.predict(30, plan)
    quantiles = model.predict_quantiles(30, plan, levels=LEVELS)
    paths = model.sample(30, plan, n_samples=5, random_state=0)
    sizes = {"a": 1.0, "b": 50.0}
    return np.concatenate(
        [
            (frame[name] / size).to_numpy().ravel()
            for frame in (points, quantiles, paths)
            for name, size in sizes.items()
        ]
    )


@pytest.mark.parametrize("kind", MODELS)
def test_a_gpu_and_a_cpu_agree(kind: str, tmp_path: Path) -> None:
    y, plan = panel()
    model = MODELS[kind](
        device="cuda", hidden_size=8, max_epochs=2, horizon=12, n_estimators=2, random_state=0
    ).fit(y[:-3], plan)
    assert {weight.device.type for weight in model.model_.parameters()} == {"cuda"}
    model.save(tmp_path / "gpu.model")
    here = load(tmp_path / "gpu.model")
    there = load(tmp_path / "gpu.model")
    assert here.model_.noise_factor.device.type == "cuda"
    on_cpu(there)
    original = spreads(model, plan)
    assert np.allclose(spreads(here, plan), original, rtol=0, atol=1e-6)
    assert np.allclose(spreads(there, plan), original, rtol=0, atol=1e-4)
    for one in (model, there):
        one.update(y[-3:-2], plan)  # reads all phases
        one.update(y[-2:], plan)
    assert np.allclose(spreads(there, plan), spreads(model, plan), rtol=0, atol=1e-4)
    assert np.abs(spreads(model, plan) - original).max() > 1e-3


def on_cpu(model: Any) -> None:
    """Move a fitted forecaster."""
    from forecast.networks.base import state_map

    model.set_params(device="cpu")
    model.model_.to("cpu")
    model.stream_ = state_map(lambda part: part.cpu(), model.stream_)


@pytest.mark.parametrize("kind", MODELS)
def test_on_a_gpu_too_the_same_seed_gives_the_same_forecast(kind: str) -> None:
    y, plan = panel(200)
    options: dict[str, Any] = {"hidden_size": 8, "max_epochs": 1, "horizon": 12, "random_state": 0}
    first, second = (MODELS[kind](device="cuda", **options).fit(y, plan) for _ in range(2))
    assert np.allclose(spreads(first, plan), spreads(second, plan), rtol=0, atol=1e-4)
