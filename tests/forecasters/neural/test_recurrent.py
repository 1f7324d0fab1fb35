"""How recurrent forecasters start, how far gradients go back, and what `fit` says of it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from forecast._checks import ForecastWarning
from forecast.data.synthetic import noisy_sine
from forecast.engine import training
from forecast.engine.model import Model
from forecast.forecasters.loading import load
from forecast.forecasters.neural.recurrent import LSTMForecaster, Recurrence, RNNForecaster
from forecast.inspection.diagnostics import hidden_states, state_gradients
from forecast.inspection.memory import effective_memory
from forecast.networks import initialisation
from forecast.networks.base import leaves

SMALL = {
    "season_length": 1, "horizon": 8, "hidden_size": 8, "batch_size": 8, "max_epochs": 1,
    "n_estimators": 1, "random_state": 0,
}  # fmt: skip
TWO = SMALL | {"n_estimators": 2}
naive_is_better = pytest.mark.filterwarnings("ignore:On the validation part")


def wave(seed: int = 0) -> pd.Series:
    return noisy_sine(600, period=24, seed=seed)


@pytest.fixture
def untrained(few_steps: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the weights as they start."""
    monkeypatch.setattr(training, "schedule", lambda progress: 0.0)


@naive_is_better
@pytest.mark.usefixtures("untrained")
def test_every_start_is_that_of_its_name() -> None:
    def layers(start: str) -> list[torch.nn.LSTM]:
        model = LSTMForecaster(initialisation=start, context_length=100, **TWO).fit(wave())
        return [member.layers[0] for member in model.model_.network.members]

    def forget(layer: torch.nn.LSTM) -> torch.Tensor:
        return (layer.bias_ih_l0 + layer.bias_hh_l0)[8:16].detach()

    for layer in layers("orthogonal"):
        for gate in layer.weight_hh_l0.split(8):
            assert torch.allclose(gate @ gate.T, torch.eye(8), atol=1e-5)
    assert all((forget(layer) == 1).all() for layer in layers("forget_bias"))
    u = torch.stack([forget(layer) for layer in layers("chrono")]).exp()
    assert 1 <= u.min() < 40 and 60 < u.max() <= 99  # over the context, and beyond its half
    assert not torch.equal(u[0], u[1])  # each member draws its own
    assert all(abs(forget(layer)).max() < 1 for layer in layers("default"))


@naive_is_better
@pytest.mark.usefixtures("untrained")
def test_chrono_counts_recurrent_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(initialisation, "chrono", lambda network, steps: told.append(steps))
    hours = pd.Series(wave().to_numpy(), pd.date_range("2024", periods=600, freq="h"))
    sizes = SMALL | {"season_length": 24, "horizon": 24}
    model = LSTMForecaster(initialisation="chrono", context_length=240, **sizes).fit(hours)
    assert (model.recipe_.patch, told) == (24, [10])


@naive_is_better
@pytest.mark.usefixtures("few_steps")
@pytest.mark.mission("M08")
def test_a_learned_initial_state_is_trained_and_saved(tmp_path) -> None:
    fitted = {
        kind: RNNForecaster(initial_state=kind, **TWO).fit(wave()) for kind in ("zero", "learned")
    }
    first = {kind: model.model_.network.members[0].initial for kind, model in fitted.items()}
    assert (first["zero"] == 0).all() and (first["learned"] != 0).all()
    counts = {kind: model.n_parameters_ for kind, model in fitted.items()}
    assert counts["learned"] - counts["zero"] == 2 * 8  # h_0 of both members
    fitted["learned"].save(tmp_path / "model")
    kept = load(tmp_path / "model")
    assert np.array_equal(kept.predict(8), fitted["learned"].predict(8))


@naive_is_better
@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("kind", [RNNForecaster, LSTMForecaster])
@pytest.mark.mission("M18")
def test_the_state_passes_the_truncation_and_no_gradient_does(kind, monkeypatch) -> None:
    seen, losses = [], Model.losses

    def watched(self, batch, *, carried=None, **options):
        if seen:  # the state that the step before has left, but not its gradient
            for now, left in zip(leaves(carried), leaves(seen[-1][1]), strict=True):
                assert torch.equal(now, left)
                assert left.requires_grad and not now.requires_grad
        answer = losses(self, batch, carried=carried, **options)
        seen.append((batch, answer[-1]))
        return answer

    monkeypatch.setattr(Model, "losses", watched)
    kind(truncation=7, context_length=30, **SMALL | {"max_epochs": 9}).fit(wave())
    assert {batch.past.values.shape[1] for batch, _ in seen} == {seen[0][0].past.values.shape[1]}
    assert {len(batch.steps) for batch, _ in seen} == {7}
    fresh = torch.stack([batch.fresh for batch, _ in seen])
    # 30 values are five windows of seven, of which a row's first may be any
    assert fresh[0].all()
    runs = fresh[:, 0].nonzero().flatten()[1:].diff()
    assert len(runs) > 5
    assert (runs == 5).all()


@naive_is_better
@pytest.mark.usefixtures("few_steps")
@pytest.mark.mission("M18")
def test_truncation_changes_what_is_learned_and_counts_values() -> None:
    def weights(**lengths: int) -> torch.Tensor:
        model = RNNForecaster(**lengths, **SMALL).fit(wave())
        return model.model_.network.members[0].layers[0].weight_hh_l0

    assert torch.equal(weights(truncation=40, context_length=40), weights(context_length=40))
    assert not torch.equal(weights(truncation=40), weights(context_length=40))
    hours = pd.Series(wave().to_numpy(), pd.date_range("2024", periods=600, freq="h"))
    sizes = SMALL | {"season_length": 24, "horizon": 24}
    model = RNNForecaster(truncation=72, **sizes).fit(hours)
    assert (model.recipe_.patch, model.recipe_.n_steps) == (24, 3)
    assert model._pieces(np.array([600])) == 9  # the whole series


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        (RNNForecaster, {"initialisation": "chrono"}, r"`initialisation` finds no .* that forget"),
        (RNNForecaster, {"cell": "lstm"}, r"`cell` must be one of 'tanh', .*, got 'lstm'"),
        (LSTMForecaster, {"initialisation": "xavier"}, r"`initialisation` must be one of .*chrono"),
        (LSTMForecaster, {"initial_state": "one"}, r"`initial_state` must be one of"),
        (LSTMForecaster, {"truncation": 0}, r"`truncation` must be a positive integer, got 0"),
    ],
)
def test_what_is_no_option_is_named(kind, options, text) -> None:
    with pytest.raises(ValueError, match=text):
        kind(**options).fit(wave())


@naive_is_better
@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(cell, marks=[pytest.mark.slow] * (cell in ("relu", "gru")))
        for cell in RNNForecaster.cells
    ],
)
def test_every_cell_forecasts_is_updated_saved_and_looked_into(cell: str, tmp_path) -> None:
    y = wave()
    options = {"cell": cell, "initialisation": "orthogonal", "initial_state": "learned"}
    model = RNNForecaster(**options, num_layers=2, context_length=30, **TWO).fit(y[:400])
    model.save(tmp_path / "model")
    for one in (model, load(tmp_path / "model")):
        assert len(effective_memory(one, y[400:]).table) == 1
        assert state_gradients(one)["norm"].notna().all()
        assert hidden_states(one).shape == (400, 2 * 8)
        assert np.isfinite(one.update(y[400:]).predict(8)).all()


# What fit says of its gradients

few_seeds = pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)


@naive_is_better
@few_seeds
@pytest.mark.mission("M16")
def test_fit_warns_of_gradients_that_explode(seed: int) -> None:
    options = SMALL | {"random_state": seed, "learning_rate": 3.0, "clip_norm": None}
    with pytest.warns(ForecastWarning, match=r"^RNNForecaster: The gradient explodes.*clip_norm="):
        RNNForecaster(cell="relu", **options).fit(wave(seed))


@naive_is_better
@few_seeds
@pytest.mark.mission("M15")
def test_fit_warns_of_gradients_that_vanish_in_the_window_asked_for(seed: int) -> None:
    options = SMALL | {"random_state": seed, "learning_rate": 0.3}
    with pytest.warns(ForecastWarning, match=r"^RNNForecaster: The gradient vanishes") as said:
        RNNForecaster(context_length=200, **options).fit(wave(seed))
    assert said[0].filename == __file__
    shorter = int(str(said[0].message).split("`context_length` to about ")[1].split(",")[0])
    advised = options | {"learning_rate": 0.01}  # at .3 any window may saturate again
    RNNForecaster(context_length=200, truncation=shorter, **advised).fit(wave(seed))
    RNNForecaster(**options).fit(wave(seed))  # the recipe's window is not the user's doing


@pytest.mark.slow
@naive_is_better
@pytest.mark.parametrize("kind", [RNNForecaster, LSTMForecaster])
def test_of_a_usual_training_fit_says_nothing(kind) -> None:
    for seed in range(3):
        model = kind(context_length=32, **SMALL | {"random_state": seed}).fit(wave(seed))
        assert math.isfinite(model.history_["gradient_norm"].max())


def test_type_checkers_are_told_of_every_parameter():
    assert set(Recurrence.__annotations__) | {"cell"} == set(RNNForecaster().get_params())
