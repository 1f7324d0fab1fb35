from __future__ import annotations

import pytest
import torch

from forecast.engine import states, stream
from forecast.networks.base import pick
from forecast.networks.recurrent import Recurrent
from forecast.teaching.textbook import LSTM
from tests.checks import as_windows, build_model, gappy_data, network_cases, same

RECURRENT = [case for case in network_cases() if case.kind.__name__ == "Recurrent"]


@pytest.mark.parametrize("sizes", [(1, 1, 1), (4, 6, 4), (6, 6, 6)], ids=str)
@pytest.mark.parametrize("case", RECURRENT, ids=str)
def test_states_end_where_the_forecast_begins(case, sizes):
    model, (x, known) = build_model(case, sizes), gappy_data(T=201)
    windows = as_windows(x, known)
    for i in (0, 3):  # one of them has a gap
        inputs, steps = states.inputs_along(model, windows, i)
        along = states.states_along(model.network, inputs)
        live = stream.encode(model, windows, torch.tensor([i]), torch.tensor([201]))
        same(pick(along, slice(-1, None)), live.phases[0])
        P = sizes[0]
        assert steps.tolist() == list(range((201 - 1) % P, 201, P))


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.mission("M24")
def test_gates_of_a_stack_are_those_of_the_textbook(residual):
    torch.manual_seed(0)
    network = Recurrent(3, 5, cell="lstm", num_layers=3, residual=residual).double()
    x = torch.randn(1, 12, 3, dtype=torch.float64)
    below = x
    for depth, layer in enumerate(network.layers):
        book = LSTM(below.shape[-1], 5).double()
        W = torch.cat([layer.weight_hh_l0, layer.weight_ih_l0], 1).chunk(4)
        b = (layer.bias_ih_l0 + layer.bias_hh_l0).chunk(4)
        with torch.no_grad():  # torch's order: i, f, g, o
            for name, weight, bias in zip("ifco", W, b, strict=True):
                getattr(book, f"W{name}").copy_(weight)
                getattr(book, f"b{name}").copy_(bias)
        found, state = states.lstm_gates(network, x, depth), book.initial_state(1)
        features = []
        for t in range(12):
            gates = book.gates(below[:, t], state)
            hidden, state = book.advance(below[:, t], state)
            for name in ("forget", "input", "candidate", "output"):
                assert (found[name][t] - getattr(gates, name)).abs().max() <= 1e-12
            assert (found["hidden"][t] - state[0]).abs().max() <= 1e-12
            assert (found["cell"][t] - state[1]).abs().max() <= 1e-12
            features.append(hidden)
        above = torch.stack(features, 1)
        below = above + below if residual and depth else above


def test_an_exact_copy_leaves_the_network_alone():
    network = Recurrent(3, 5, dropout=0.5, num_layers=2).train()
    copied = states.exact(network)
    assert not copied.training and network.training
    assert next(copied.parameters()).dtype == torch.float64
    assert next(network.parameters()).dtype == torch.float32


def test_a_window_model_has_no_state():
    cases = {case.kind.__name__: case.build() for case in network_cases()}
    assert states.width(cases["MLP"]) == 0
    assert states.width(Recurrent(3, 5, cell="lstm", num_layers=2)) == 20
