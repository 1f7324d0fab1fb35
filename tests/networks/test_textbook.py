"""The cells from their equations: against torch, against closed forms, and what gates do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from forecast.networks.textbook import LSTM, Elman, Output


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_m07_elman_equals_torch(activation, dtype, bias):
    torch.manual_seed(0)
    network = Elman(4, 6, activation=activation, bias=bias).to(dtype)
    nn.init.normal_(network.b, std=0.5 if bias else 0.0)
    reference = nn.RNN(4, 6, nonlinearity=activation, bias=bias, batch_first=True).to(dtype)
    with torch.no_grad():
        reference.weight_ih_l0.copy_(network.U)
        reference.weight_hh_l0.copy_(network.W)
        if bias:
            reference.bias_ih_l0.copy_(network.b)
            reference.bias_hh_l0.zero_()
    x = torch.randn(3, 50, 4, dtype=dtype)
    features, state = network.absorb(x, network.initial_state(3))
    expected, end = reference(x)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-12
    assert (features - expected).abs().max() <= tolerance
    assert (state - end[0]).abs().max() <= tolerance
    # o_t = g2(V s_t + b_y) on the same states
    output = Output(6, 2, activation="tanh").to(dtype)
    by_hand = torch.stack([torch.tanh(s @ output.V.T + output.b) for s in expected.unbind(1)], 1)
    assert (output(features) - by_hand).abs().max() <= tolerance


def test_m07_identity_activation_has_a_closed_form():
    torch.manual_seed(0)
    network = Elman(2, 3, activation="identity").double()
    nn.init.normal_(network.b)
    x = torch.randn(1, 12, 2, dtype=torch.float64)
    features, _ = network.absorb(x, network.initial_state(1))
    powers = [torch.linalg.matrix_power(network.W, k) for k in range(12)]
    for t in range(12):
        terms = [powers[t - k] @ (network.U @ x[0, k] + network.b) for k in range(t + 1)]
        assert torch.allclose(features[0, t], sum(terms), atol=1e-12)


def test_m08_first_step_from_zero_and_given_states():
    torch.manual_seed(0)
    network = Elman(2, 3).double()
    x = torch.randn(1, 5, 2, dtype=torch.float64)
    features, end = network.absorb(x, network.initial_state(1))
    assert torch.allclose(features[:, 0], torch.tanh(x[:, 0] @ network.U.T + network.b))
    given = torch.randn(1, 3, dtype=torch.float64)
    moved, _ = network.absorb(x, given)
    first = torch.tanh(x[:, 0] @ network.U.T + given @ network.W.T + network.b)
    assert torch.allclose(moved[:, 0], first)
    assert torch.equal(end, features[:, -1])


def test_m09_the_other_time_convention_is_the_same_model_shifted():
    torch.manual_seed(0)
    network = Elman(2, 3).double()
    x = torch.randn(1, 9, 2, dtype=torch.float64)
    s, _ = network.absorb(x, network.initial_state(1))
    h = torch.zeros(1, 3, dtype=torch.float64)  # h_1 summarises nothing
    for t in range(1, 9):
        # h_t = phi(W_hh h_{t-1} + W_hx x_{t-1} + b_h)
        h = torch.tanh(h @ network.W.T + x[:, t - 1] @ network.U.T + network.b)
        assert torch.equal(h, s[:, t - 1]) or torch.allclose(h, s[:, t - 1], atol=1e-15)


@pytest.mark.parametrize(
    ("activation", "low", "high"), [("tanh", -1e9, 0.0), ("identity", 0.95, 1)]
)
def test_m10_a_tanh_output_cannot_pass_one(activation, low, high):
    torch.manual_seed(0)
    x = torch.rand(32, 20, 1) * 2 - 1
    target = (2.5 + 1.25 * (x + x.roll(1, 1)))[:, 1:]  # needs one step of memory; range [0, 5]
    network, output = Elman(1, 16), Output(16, 1, activation=activation)
    optimizer = torch.optim.Adam([*network.parameters(), *output.parameters()], 1e-2)
    for _ in range(400):
        forecast = output(network.absorb(x, network.initial_state(32))[0])[:, 1:]
        loss = (forecast - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    r2 = 1 - loss.item() / target.var().item()
    assert low < r2 < high
    assert (forecast.max().item() <= 1) == (activation == "tanh")
    assert target.max() > 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_m24_lstm_equals_torch(dtype):
    torch.manual_seed(0)
    network = LSTM(4, 6).to(dtype)
    for bias in (network.bf, network.bi, network.bc, network.bo):
        nn.init.normal_(bias)
    reference = nn.LSTM(4, 6, batch_first=True).to(dtype)
    weights = [network.Wi, network.Wf, network.Wc, network.Wo]  # torch's order: i, f, g, o
    with torch.no_grad():
        reference.weight_hh_l0.copy_(torch.cat([w[:, :6] for w in weights]))
        reference.weight_ih_l0.copy_(torch.cat([w[:, 6:] for w in weights]))
        reference.bias_ih_l0.copy_(torch.cat([network.bi, network.bf, network.bc, network.bo]))
        reference.bias_hh_l0.zero_()
    x = torch.randn(3, 50, 4, dtype=dtype)
    features, state = network.absorb(x, network.initial_state(3))
    expected, end = reference(x)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-12
    assert (features - expected).abs().max() <= tolerance
    assert all((a - b[0]).abs().max() <= tolerance for a, b in zip(state, end, strict=True))


def test_m24_gates_are_open_intervals():
    torch.manual_seed(0)
    network = LSTM(4, 6).double()
    state = (torch.randn(9, 6).double(), torch.randn(9, 6).double())
    gates = network.gates(torch.randn(9, 4).double(), state)
    for gate in (gates.forget, gates.input, gates.output):
        assert ((gate > 0) & (gate < 1)).all()
    assert (gates.candidate.abs() < 1).all()


def forced(forget: float, enter: float, leave: float) -> LSTM:
    torch.manual_seed(0)
    network = LSTM(1, 4).double()
    for bias, value in [(network.bf, forget), (network.bi, enter), (network.bo, leave)]:
        nn.init.constant_(bias, value)
    return network


def test_m24_forced_gates_keep_wipe_and_hide():
    x = torch.randn(1, 1000, 1, dtype=torch.float64)
    h, cell = torch.zeros(1, 4).double(), torch.randn(1, 4).double()
    _, (_, kept) = forced(1e4, -1e4, 0.0).absorb(x, (h, cell))
    assert torch.equal(kept, cell)  # f = 1, i = 0 keeps C exactly
    _, (_, wiped) = forced(-1e4, -1e4, 0.0).absorb(x[:, :1], (h, cell))
    assert torch.equal(wiped, torch.zeros_like(cell))  # f = 0 wipes
    hidden, (_, intact) = forced(1e4, -1e4, -1e4).absorb(x, (h, cell))
    assert torch.equal(hidden, torch.zeros_like(hidden))  # o = 0 hides
    assert torch.equal(intact, cell)
