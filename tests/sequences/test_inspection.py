"""Looks inside a sequence estimator are those into a forecaster."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast import effective_memory
from forecast.inspection.diagnostics import gates, hidden_states, state_gradients
from forecast.sequences.classifier import SequenceClassifier
from forecast.sequences.regressor import SequenceRegressor
from tests.sequences.toys import BRIEF, units


@pytest.mark.mission("M24")
def test_gates_are_read_along_a_sequence() -> None:
    X, y = units()
    model = SequenceClassifier(**BRIEF).fit(X, y)
    times = pd.date_range("2024", periods=len(X[0]), name="day")
    traces = gates(model, series=pd.DataFrame(X[0], times))
    assert traces.index.equals(times)
    for part in ("forget", "input", "output"):
        assert traces[part].gt(0).all(axis=None) and traces[part].lt(1).all(axis=None)
    last = model.model_.readouts[0]
    logits = traces["hidden"].to_numpy()[-1] @ last.weight.detach().numpy().T
    logits += last.bias.detach().numpy()
    shares = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(model.predict_proba([X[0]])[0], shares, rtol=1e-10)
    with pytest.raises(TypeError, match="must be a sequence"):
        hidden_states(model)


@pytest.mark.mission("M15")
def test_gradients_between_states_keep_their_bound() -> None:
    X, y = units()
    norms = state_gradients(SequenceRegressor(cell="tanh", **BRIEF).fit(X, y), X[0])
    assert (norms["norm"] <= norms["bound"] * (1 + 1e-9)).all()


@pytest.mark.slow
def test_memory_reaches_as_far_as_the_answer_depends() -> None:
    X = np.random.default_rng(0).normal(size=(60, 6, 1))
    models = [
        SequenceRegressor(**BRIEF | {"max_epochs": 6}).fit(X, y) for y in (X[:, -1, 0], X[:, 2, 0])
    ]
    memory = effective_memory(dict(zip(("last", "third"), models, strict=True)), X, threshold=0.5)
    assert memory.responses.idxmax().tolist() == [1, 4]
    assert memory.table["memory"]["last"] < 3
    classes = SequenceClassifier(**BRIEF).fit(X, X[:, -1, 0] > 0)
    assert effective_memory(classes, X).responses.shape == (6, 1)
