"""What the forecaster with a decoder adds to the family."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from forecast.data.datasets import load_dataset
from forecast.engine import training
from forecast.forecasters.neural.seq2seq import Seq2SeqForecaster
from forecast.networks.seq2seq import AttentiveSeq2Seq

SMALL = {"horizon": 12, "hidden_size": 8, "n_estimators": 1, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::forecast._checks.ForecastWarning")
attention = pytest.mark.parametrize("attention", [False, True])


def hours() -> pd.Series:
    t = pd.date_range("2024-03-01", periods=400, freq="h")
    rng = np.random.default_rng(0)
    return pd.Series(10 + 3 * np.sin(np.arange(400) * np.pi / 12) + rng.normal(size=400), t)


@attention
def test_both_networks_learn(attention: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "STEPS_PER_EPOCH", 5)
    model = Seq2SeqForecaster(attention=attention, max_epochs=1, **SMALL).fit(hours())
    network = model.model_.network.members[0]
    assert isinstance(network, AttentiveSeq2Seq) == attention
    torch.manual_seed(0)
    start = model._build(model.panel_).network.members[0].state_dict()
    moved = {name: (start[name] - end).abs().max() for name, end in network.state_dict().items()}
    assert moved.pop("encoder.initial") == 0
    assert min(moved[name] for name in moved if not name.endswith("initial")) > 1e-6


@attention
def test_the_decoder_writes_step_by_step(attention: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "STEPS_PER_EPOCH", 1)
    model = Seq2SeqForecaster(attention=attention, max_epochs=1, **SMALL).fit(hours())
    patch = model.recipe_.patch
    assert model.recipe_.block == model.recipe_.stride == patch == 12
    network = model.model_.network.members[0]
    body = network.decoder.body if attention else network.decoder
    steps: list[int] = []
    body.layers[0].register_forward_hook(lambda _, given, __: steps.append(given[0].shape[1]))
    model.predict(5 * patch)
    assert steps == [1, 1, 1, 1]  # the first block is read from what the encoder saw


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"cell": "elman"}, r"`cell` must be one of .*got 'elman'"),
        ({"attention": "additive"}, r"`attention` must be True or False, got 'additive'"),
    ],
)
def test_wrong_options_are_named(wrong: dict[str, str], says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        Seq2SeqForecaster(**wrong).fit(load_dataset("elnino"))
