from __future__ import annotations

import math

import pytest
import torch
from torch.autograd.functional import jacobian

from forecast.engine import gradients, rollout, states, stream
from forecast.networks.base import leaves, state_map
from forecast.networks.recurrent import CELLS, Recurrent
from forecast.networks.window import MLP
from forecast.teaching.textbook import Elman
from tests.checks import as_windows, build_model, network_cases

STACKS = [(cell, layers) for cell in CELLS for layers in (1, 2)]
# quick are an LSTM and an MLP
QUICK = ("Recurrent-lstm-2-True", "MLP")
MODELS = [
    pytest.param(
        case, sizes, id=f"{case}-{sizes}", marks=[pytest.mark.slow] * (str(case) not in QUICK)
    )
    for case in network_cases()
    for sizes in ((1, 1, 1), (4, 6, 4))
    if case.kind is Recurrent or (case.kind is MLP and sizes[0] == 1)  # a window has no patches
]


def stack(cell="tanh", layers=1, size=6, gain=None, seed=0):
    torch.manual_seed(seed)
    network = Recurrent(3, size, cell=cell, num_layers=layers).double()
    if gain is not None:
        torch.nn.init.orthogonal_(network.layers[0].weight_hh_l0, gain=gain)
    return network


def scaled_rotation(gamma, activation="identity", size=64, seed=0):
    """Elman's layer with W = gamma Q, Q orthogonal."""
    torch.manual_seed(seed)
    network = Elman(3, size, activation=activation).double()
    torch.nn.init.orthogonal_(network.W, gain=gamma)
    return network


def inputs(steps=20, seed=1, rows=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, steps, 3, generator=generator, dtype=torch.float64)


def norms(network, x):
    return gradients.state_gradients(gradients.step_jacobians(network, x))


def unflatten(flat, like):
    parts = iter(flat.split([leaf.numel() for leaf in leaves(like)]))
    return state_map(lambda leaf: next(parts).view(leaf.shape), like)


@pytest.mark.parametrize(("cell", "layers"), STACKS)
@pytest.mark.mission("M15")
def test_product_of_step_jacobians_is_the_jacobian(cell, layers):
    network, x = stack(cell, layers), inputs()
    like = network.initial_state(1)

    def end(start, k):
        _, state = network.absorb(x[:, k:], unflatten(start, like))
        return gradients.flat(state)[0]

    along = states.states_along(network, x)
    steps = gradients.step_jacobians(network, x)
    found = gradients.state_gradients(steps)
    for k in (0, 7, 19):
        start = torch.cat([leaf[k].flatten() for leaf in leaves(along)])
        direct = jacobian(lambda start, k=k: end(start, k), start)
        product = torch.linalg.multi_dot([*steps.flip(0)[: 20 - k], torch.eye(len(start)).double()])
        assert (product - direct).abs().max() <= 1e-10
        assert found[20 - k] == pytest.approx(torch.linalg.matrix_norm(direct, 2).item(), rel=1e-9)


def test_steps_computed_together_are_those_computed_alone():
    network, x = stack("lstm"), inputs(steps=gradients.TOGETHER + 3)
    along = states.states_along(network, x)
    alone = [
        gradients._jacobians(network, x[0, t : t + 1], tuple(part[t : t + 1] for part in along))
        for t in range(x.shape[1])
    ]
    assert torch.allclose(gradients.step_jacobians(network, x), torch.cat(alone), atol=1e-14)


@pytest.mark.parametrize("cell", ["tanh", "relu"])
@pytest.mark.parametrize("gain", [0.5, 0.9, 1.0, 1.5, 3.0])
@pytest.mark.mission("M15")
def test_gamma_bounds_every_lag(cell, gain):
    network, x = stack(cell, gain=gain), inputs(60)
    assert gradients.gamma(network) == pytest.approx(gain, rel=1e-12)
    found = norms(network, x)
    bound = gradients.gamma(network) ** torch.arange(61, dtype=torch.float64)
    assert found[0] == 1 and (found <= bound * (1 + 1e-12)).all()
    assert (found[1:] < bound[1:]).any()  # the inputs saturate: the bound is no equality


@pytest.mark.parametrize("gain", [0.9, 1.1])
@pytest.mark.mission("M15")
def test_a_scaled_rotation_meets_the_bound(gain):
    found = norms(scaled_rotation(gain), inputs(100))
    lags = torch.arange(101, dtype=torch.float64)
    assert (found / gain**lags - 1).abs().max() <= 1e-10
    slope = torch.linalg.lstsq(torch.stack([lags, lags**0], 1), found.log()[:, None]).solution[0]
    assert slope.item() == pytest.approx(math.log(gain), abs=1e-10)


@pytest.mark.mission("M15")
def test_the_last_loss_hardly_reaches_the_first_state():
    network, x = scaled_rotation(0.9, "tanh"), inputs(100)
    found = norms(network, x)
    first, late = found[99], found[1]  # |ds_100 / ds_1| and |ds_100 / ds_99|
    assert first <= 0.9**98 * late < 1e-4


def test_gated_cells_and_stacks_have_no_gamma():
    assert gradients.gamma(stack("lstm")) is None
    assert gradients.gamma(stack("tanh", layers=2)) is None


@pytest.mark.mission("M16")
def test_an_identity_recurrence_explodes():
    found = norms(scaled_rotation(1.1), inputs(100))
    assert found[100].item() == pytest.approx(13780.6, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.mission("M16")
def test_gamma_above_one_is_not_enough_to_explode(seed):
    # with tanh and inputs N(0, 1) the gradient vanishes at gamma = 1.5
    torch.manual_seed(seed)
    network = scaled_rotation(1.5, "tanh", seed=seed)
    torch.nn.init.normal_(network.U)
    found = norms(network, inputs(100, seed=seed))
    assert found[100] < 1e-10 * 1.5**100
    assert found[100] < 1  # it does not even keep its size


# What training watches


def test_the_carried_gradient_of_a_scaled_rotation():
    found = gradients.backward_norms(scaled_rotation(1.1), inputs(30, rows=4))
    assert (found / 1.1 ** torch.arange(30.0, dtype=torch.float64) - 1).abs().max() <= 1e-10


@pytest.mark.parametrize(("cell", "layers"), STACKS)
def test_the_carried_gradient_is_below_the_norm(cell, layers):
    network, x = stack(cell, layers), inputs(30)
    found, most = gradients.backward_norms(network, x), norms(network, x)[:30]
    assert found[0] == pytest.approx(1)
    assert (found <= most * (1 + 1e-9)).all()
    assert (found >= 1e-4 * most).all()  # a relu that is off carries nothing, in both


def test_nothing_is_said_of_healthy_gradients():
    assert gradients.exploded([0.5, 3.0, 0.4], clip_norm=None) is None
    assert gradients.vanished(0.8 ** torch.arange(40.0), patch=1) is None
    assert gradients.vanished(torch.ones(2), patch=1) is None


@pytest.mark.parametrize(("clip", "advice"), [(None, "Set `clip_norm=1.0`"), (1.0, "Clipping")])
@pytest.mark.parametrize(
    ("worst", "said"), [(3e5, "3e+05 in epoch 2"), (math.nan, "nan in epoch 2")]
)
@pytest.mark.mission("M16")
def test_exploding_gradients_are_reported(clip, advice, worst, said):
    text = gradients.exploded([0.5, worst, 0.4], clip)
    assert text.startswith("The gradient explodes")
    assert said in text and advice in text


@pytest.mark.mission("M15")
def test_vanishing_gradients_are_reported_in_values():
    text = gradients.vanished(0.01 ** torch.arange(40.0), patch=24)
    assert "less than 1e-07 of it is left after 4 of the 40 recurrent steps" in text
    assert "Shorten `context_length` to about 96" in text


# From the forecast back to the values


def series(T=200):
    t = torch.arange(T, dtype=torch.float64)
    noise = torch.randn(T, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    clock = torch.stack([torch.sin(2 * torch.pi * t / 24), torch.cos(2 * torch.pi * t / 24)], -1)
    return 10 + 4 * clock[:, 0] + noise, clock[None]


def read(values, clock):
    windows = as_windows(values[None], clock)
    windows.spreads = torch.ones(1, dtype=torch.float64)  # fixed, as after fit
    return windows


def forecast(model, values, clock, horizon):
    windows = read(values, clock)
    with torch.no_grad():
        live = stream.encode(model, windows, torch.tensor([0]), torch.tensor([len(values)]))
        ahead = clock[:, :horizon]
        return rollout.rollout(model, live, ahead, rollout.greedy(model))[0]


@pytest.mark.parametrize(("case", "sizes"), MODELS)
def test_gradients_of_the_forecast_are_its_slopes(case, sizes):
    model, (values, clock) = build_model(case, sizes), series()
    windows = read(values, clock)
    lags, horizon = 60, 2 * sizes[2]
    choose = rollout.greedy(model)
    rows = list(gradients.forecast_gradients(model, windows, 0, clock[:, :horizon], choose, lags))
    assert len(rows) == horizon
    for lag in (1, 2, 5, 24, 30, 31, 48, 60):
        up, down = values.clone(), values.clone()
        up[-lag] += 1e-4
        down[-lag] -= 1e-4
        change = forecast(model, up, clock, horizon) - forecast(model, down, clock, horizon)
        for row, slope in zip(rows, change / 2e-4, strict=True):
            assert row[lag - 1].item() == pytest.approx(slope.item(), abs=1e-6)
