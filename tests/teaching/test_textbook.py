"""The cells from their equations: against torch, against closed forms, and what gates do."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from statsmodels.tsa.holtwinters import SimpleExpSmoothing
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from forecast.teaching.textbook import LSTM, Elman, Jordan, Output, Stacked


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.mission("M07")
def test_elman_equals_torch(activation, dtype, bias):
    torch.manual_seed(0)
    reference = nn.RNN(4, 6, nonlinearity=activation, bias=bias, batch_first=True).to(dtype)
    network = Elman.from_torch(reference)
    assert network.b.any() == bias
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


@pytest.mark.mission("M07")
def test_identity_activation_has_a_closed_form():
    torch.manual_seed(0)
    network = Elman(2, 3, activation="identity").double()
    nn.init.normal_(network.b)
    x = torch.randn(1, 12, 2, dtype=torch.float64)
    features, _ = network.absorb(x, network.initial_state(1))
    powers = [torch.linalg.matrix_power(network.W, k) for k in range(12)]
    for t in range(12):
        terms = [powers[t - k] @ (network.U @ x[0, k] + network.b) for k in range(t + 1)]
        assert torch.allclose(features[0, t], sum(terms), atol=1e-12)


@pytest.mark.mission("M08")
def test_first_step_from_zero_and_given_states():
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


@pytest.mark.mission("M09")
def test_the_other_time_convention_is_the_same_model_shifted():
    torch.manual_seed(0)
    network = Elman(2, 3).double()
    x = torch.randn(1, 9, 2, dtype=torch.float64)
    s, _ = network.absorb(x, network.initial_state(1))
    lagged = Elman(2, 3, lagged=True).double()
    lagged.load_state_dict(network.state_dict())
    h, end = lagged.absorb(x, lagged.initial_state(1))
    assert torch.equal(h[:, 1:], s[:, :-1])
    assert torch.equal(end, s[:, -1])
    h_t = torch.zeros(1, 3, dtype=torch.float64)  # h_1 summarises nothing
    for t in range(9):
        assert torch.allclose(h[:, t], h_t, atol=1e-15)
        # h_t = phi(W_hh h_{t-1} + W_hx x_{t-1} + b_h)
        h_t = torch.tanh(h_t @ network.W.T + x[:, t] @ network.U.T + network.b)


@pytest.mark.parametrize(
    ("activation", "low", "high"), [("tanh", -1e9, 0.0), ("identity", 0.95, 1)]
)
@pytest.mark.mission("M10")
def test_a_tanh_output_cannot_pass_one(activation, low, high):
    torch.manual_seed(0)
    x = torch.rand(32, 20, 1) * 2 - 1
    target = (2.5 + 1.25 * (x + x.roll(1, 1)))[:, 1:]  # needs one step of memory; range [0, 5]
    network, output = Elman(1, 16), Output(16, 1, activation=activation)
    optimizer = torch.optim.Adam([*network.parameters(), *output.parameters()], 2e-2)
    for _ in range(200):
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
@pytest.mark.mission("M24")
def test_lstm_equals_torch(dtype):
    torch.manual_seed(0)
    reference = nn.LSTM(4, 6, batch_first=True).to(dtype)
    network = LSTM.from_torch(reference)
    x = torch.randn(3, 50, 4, dtype=dtype)
    features, state = network.absorb(x, network.initial_state(3))
    expected, end = reference(x)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-12
    assert (features - expected).abs().max() <= tolerance
    assert all((a - b[0]).abs().max() <= tolerance for a, b in zip(state, end, strict=True))


@pytest.mark.mission("M24")
def test_gates_are_open_intervals():
    torch.manual_seed(0)
    network = LSTM(4, 6).double()
    state = (torch.randn(9, 6).double(), torch.randn(9, 6).double())
    gates = network.gates(torch.randn(9, 4).double(), state)
    for gate in (gates.forget, gates.input, gates.output):
        assert ((gate > 0) & (gate < 1)).all()
    assert (gates.candidate.abs() < 1).all()


@pytest.mark.mission("M24")
def test_the_trace_shows_the_gates_that_made_the_states():
    network, x = LSTM(4, 6).double(), torch.randn(3, 9, 4).double()
    h, c = network.initial_state(3)
    gates = network.trace(x, (h, c))
    for t in range(9):
        h, c = network.move(type(gates)(*(part[:, t] for part in gates)), c)
    assert torch.equal(h, network.absorb(x, network.initial_state(3))[0][:, -1])


def forced(forget: float, enter: float, leave: float) -> LSTM:
    torch.manual_seed(0)
    network = LSTM(1, 4).double()
    for bias, value in [(network.bf, forget), (network.bi, enter), (network.bo, leave)]:
        nn.init.constant_(bias, value)
    return network


@pytest.mark.mission("M24")
def test_forced_gates_keep_wipe_and_hide():
    x = torch.randn(1, 1000, 1, dtype=torch.float64)
    h, cell = torch.zeros(1, 4).double(), torch.randn(1, 4).double()
    _, (_, kept) = forced(1e4, -1e4, 0.0).absorb(x, (h, cell))
    assert torch.equal(kept, cell)  # f = 1, i = 0 keeps C exactly
    _, (_, wiped) = forced(-1e4, -1e4, 0.0).absorb(x[:, :1], (h, cell))
    assert torch.equal(wiped, torch.zeros_like(cell))  # f = 0 wipes
    hidden, (_, intact) = forced(1e4, -1e4, -1e4).absorb(x, (h, cell))
    assert torch.equal(hidden, torch.zeros_like(hidden))  # o = 0 hides
    assert torch.equal(intact, cell)


@pytest.mark.parametrize("cell", [Elman, LSTM])
@pytest.mark.mission("M20")
def test_a_stack_equals_torch(cell):
    fused = {Elman: nn.RNN, LSTM: nn.LSTM}[cell]
    reference = fused(4, 6, num_layers=3, batch_first=True).double()
    network = Stacked(4, 6, num_layers=3, cell=cell)
    network.layers = nn.ModuleList(cell.from_torch(reference, depth) for depth in range(3))
    x = torch.randn(2, 20, 4, dtype=torch.float64)
    features, state = network.absorb(x, network.initial_state(2))
    expected, end = reference(x)
    assert (features - expected).abs().max() <= 1e-12
    hidden = torch.stack([own if cell is Elman else own[0] for own in state])
    assert (hidden - (end if cell is Elman else end[0])).abs().max() <= 1e-12


@pytest.mark.mission("M21")
def test_without_feedback_it_is_elmans():
    jordan, elman = Jordan(2, 3, output_size=2).double(), Elman(2, 3).double()
    with torch.no_grad():
        jordan.B.zero_()
        for name in ("U", "W", "b"):
            getattr(elman, name).copy_(getattr(jordan, name).normal_())
    x = torch.randn(4, 9, 2, dtype=torch.float64)
    ours, _ = jordan.absorb(x, jordan.initial_state(4))
    assert torch.equal(ours, elman.absorb(x, elman.initial_state(4))[0])


@pytest.mark.mission("M21")
def test_free_run_is_the_loop_by_hand():
    network = Jordan(2, 3, output_size=1).double()
    U, W, B, b, V, c = (p.detach() for p in network.parameters())
    x = torch.randn(1, 9, 2, dtype=torch.float64)
    features, state = network.absorb(x, network.initial_state(1))
    h, y = torch.zeros(3).double(), torch.zeros(1).double()
    for t in range(9):
        h = torch.tanh(U @ x[0, t] + W @ h + B @ y + b)
        y = V @ h + c
        assert (features[0, t] - h).abs().max() <= 1e-12
    assert (state[1][0] - y).abs().max() <= 1e-12


@pytest.mark.mission("M21")
def test_taught_its_own_outputs_it_runs_freely():
    network = Jordan(2, 3, output_size=2).double()
    x = torch.randn(4, 9, 2, dtype=torch.float64)
    free, end = network.absorb(x, network.initial_state(4))
    taught, taught_end = network.teach(x, network.output(free), network.initial_state(4))
    assert torch.allclose(taught, free, atol=1e-15)
    assert torch.allclose(taught_end[1], end[1], atol=1e-15)
    wrong = network.output(free)
    wrong[:, 4] += 1
    misled, _ = network.teach(x, wrong, network.initial_state(4))
    assert torch.allclose(misled[:, :5], free[:, :5], atol=1e-15)  # read one step later
    assert not torch.allclose(misled[:, 5], free[:, 5], atol=1e-3)


@pytest.mark.mission("M21")
def test_it_remembers_through_its_output_alone():
    network = Jordan(1, 1, activation="identity").double()
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), (1, 0, 1, 0, 1, 0), strict=True):
            parameter.fill_(value)  # U = B = V = 1, W = 0: y_t = x_t + y_{t-1}
    x = torch.randn(1, 50, 1, dtype=torch.float64)
    features, _ = network.absorb(x, network.initial_state(1))
    assert torch.allclose(network.output(features), x.cumsum(1), atol=1e-12)


def step_slopes(network: Elman, x: Tensor) -> list[Tensor]:
    """Return ds_t/ds_{t-1} for every step of x (T, m), by autograd through that step alone."""
    start = network.initial_state(1)
    states, _ = network.absorb(x[None], start)
    before = torch.cat([start, states[0, :-1]]).detach()
    slope = torch.func.jacrev(lambda s, x_t: network.advance(x_t, s)[1])
    return list(torch.func.vmap(slope)(before, x).detach())


def chained(slopes: list[Tensor]) -> list[Tensor]:
    """Return ds_T/ds_k for k = T - 1, ..., 0: products from the newest step back."""
    products = [slopes[-1]]
    for slope in reversed(slopes[:-1]):
        products.append(products[-1] @ slope)
    return products


def scaled_rotation(n: int, gain: float, activation: str) -> Elman:
    """Return a cell with W = gain Q, Q orthogonal."""
    network = Elman(n, n, activation=activation).double()
    with torch.no_grad():
        network.W.copy_(gain * nn.init.orthogonal_(torch.empty(n, n, dtype=torch.float64)))
    return network


def norms(matrices: list[Tensor]) -> np.ndarray:
    return np.array([torch.linalg.matrix_norm(m, 2).item() for m in matrices])


@pytest.mark.mission("M15")
def test_slope_over_many_steps_is_the_product_of_single_ones():
    network = Elman(2, 5).double()
    x = torch.randn(12, 2, dtype=torch.float64)
    slopes = step_slopes(network, x)
    whole = jacobian(lambda s: network.absorb(x[None], s[None])[1][0], torch.zeros(5).double())
    assert (chained(slopes)[-1] - whole).abs().max() <= 1e-10
    # ds_t/ds_{t-1} = diag(1 - s_t^2) W
    states, _ = network.absorb(x[None], network.initial_state(1))
    for t, slope in enumerate(slopes):
        assert (slope - (1 - states[0, t] ** 2)[:, None] * network.W).abs().max() <= 1e-12


@pytest.mark.parametrize("gain", [0.5, 0.9, 1.0, 1.5])
@pytest.mark.mission("M15")
def test_gamma_bounds_the_slope(gain):
    for seed in range(3):
        torch.manual_seed(seed)
        network = Elman(8, 8).double()
        with torch.no_grad():
            network.W.mul_(gain / torch.linalg.matrix_norm(network.W, 2))  # max|tanh'| = 1
        measured = norms(chained(step_slopes(network, torch.randn(60, 8).double())))
        assert (measured <= gain ** np.arange(1, 61) * (1 + 1e-12)).all()


@pytest.mark.parametrize("gain", [0.9, 1.1])
@pytest.mark.mission("M15")
def test_a_linear_rotation_meets_the_bound(gain):
    network = scaled_rotation(8, gain, "identity")
    measured = norms(chained(step_slopes(network, torch.randn(100, 8).double())))
    steps = np.arange(1, 101)
    assert np.allclose(measured / gain**steps, 1, atol=1e-10)
    assert np.polyfit(steps, np.log(measured), 1)[0] == pytest.approx(math.log(gain), abs=1e-10)


@pytest.mark.parametrize("activation", ["identity", "tanh"])
@pytest.mark.mission("M15")
def test_the_first_step_is_hardly_felt_in_a_loss_on_the_last(activation):
    network = scaled_rotation(8, 0.9, activation)
    products = chained(step_slopes(network, torch.randn(100, 8).double()))
    last, first = norms([products[0], products[-2]])  # ds_100/ds_99, ds_100/ds_1
    assert first <= 0.9**98 * last * (1 + 1e-9)
    assert first < 1e-4


@pytest.mark.mission("M16")
def test_a_linear_recurrence_explodes():
    network = scaled_rotation(8, 1.1, "identity")
    measured = norms(chained(step_slopes(network, torch.randn(100, 8).double())))
    assert measured[-1] == pytest.approx(13780.6, abs=0.05)


@pytest.mark.mission("M16")
def test_gamma_above_one_is_not_enough_to_explode():
    for seed in range(5):
        torch.manual_seed(seed)
        network = scaled_rotation(64, 1.5, "tanh")
        nn.init.eye_(network.U)  # inputs of size 1 drive the units into saturation
        measured = norms(chained(step_slopes(network, torch.randn(100, 64).double())))
        assert measured[-1] < 1e-3 and measured[-1] / 1.5**100 < 1e-20  # it vanishes


@pytest.mark.mission("M19")
def test_sixty_four_units_learn_fifty_random_signs_by_heart():
    signs = torch.randint(2, (1, 51, 1)).float() * 2 - 1
    network, output = nn.RNN(1, 64, batch_first=True), nn.Linear(64, 1)
    optimizer = torch.optim.Adam([*network.parameters(), *output.parameters()], 3e-3)
    for _ in range(400):
        loss = (output(network(signs[:, :-1])[0]) - signs[:, 1:]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 1e-3


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
@pytest.mark.mission("M23")
def test_one_linear_unit_is_simple_exponential_smoothing(alpha):
    x = np.random.default_rng(0).normal(size=200).cumsum()
    network = Elman(1, 1, activation="identity", bias=False).double()
    with torch.no_grad():
        network.U.fill_(alpha)
        network.W.fill_(1 - alpha)
    level, _ = network.absorb(torch.tensor(x)[None, :, None], torch.zeros(1, 1).double())
    theirs = SimpleExpSmoothing(pd.Series(x), initialization_method="known", initial_level=0.0)
    expected = theirs.fit(smoothing_level=alpha, optimized=False).level
    assert np.abs(level.detach().numpy().ravel() - expected).max() <= 1e-8


@pytest.mark.mission("M23")
def test_one_linear_unit_forecasts_a_moving_average():
    theta, noise = 0.9, np.random.default_rng(0).normal(size=100_001)
    x = noise[1:] + theta * noise[:-1]
    network = Elman(1, 1, activation="identity", bias=False).double()
    with torch.no_grad():
        network.U.fill_(theta)
        network.W.fill_(-theta)
        told, _ = network.absorb(torch.tensor(x).view(100, 1000, 1), torch.zeros(100, 1).double())
    errors = (x.reshape(100, 1000)[:, 101:] - told[:, 100:-1, 0].numpy()) ** 2  # once it has begun
    means = errors.mean(1)
    assert abs(means.mean() - 1) < 3 * means.std(ddof=1) / 10


@pytest.mark.parametrize("forget", [None, 0.5, 1.0])
@pytest.mark.mission("M27")
def test_what_the_cell_keeps_is_the_product_of_its_forget_gates(forget):
    network = LSTM(2, 3).double()
    with torch.no_grad():
        for W in (network.Wf, network.Wi, network.Wc, network.Wo):
            W[:, :3] = 0  # the gates do not read h
        if forget:
            network.Wf.zero_()
            network.bf.fill_(0.0 if forget == 0.5 else 1e4)  # sigmoid(1e4) = 1
    x, zero = torch.randn(1, 30, 2, dtype=torch.float64), torch.zeros(1, 3).double()
    slope = jacobian(lambda c: network.absorb(x, (zero, c))[1][1], zero)[0, :, 0]
    kept = network.trace(x, (zero, zero)).forget[0].prod(0)
    assert torch.allclose(slope, torch.diag(kept), rtol=1e-12, atol=0)
    if forget:
        assert torch.equal(slope, forget**30 * torch.eye(3).double())  # 2^-30 still vanishes
