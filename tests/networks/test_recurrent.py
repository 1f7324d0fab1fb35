"""Recurrent stacks against torch's own, and their parameter counts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from forecast.networks.base import leaves
from forecast.networks.recurrent import CELLS, MGU, Recurrent
from forecast.teaching.textbook import LSTM, Elman, MinimalGatedUnit

TORCH = {
    "tanh": lambda *a, **k: nn.RNN(*a, nonlinearity="tanh", **k),
    "relu": lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}


def test_every_layer_of_torch_has_a_reference():
    fused = {name for name, make in CELLS.items() if isinstance(make(2, 3), nn.RNNBase)}
    assert fused == set(TORCH)


def copy_layers(network: Recurrent, reference: nn.RNNBase) -> None:
    with torch.no_grad():
        for depth, layer in enumerate(network.layers):
            for name, parameter in layer.named_parameters():
                parameter.copy_(getattr(reference, name.replace("_l0", f"_l{depth}")))


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cell", TORCH)
@pytest.mark.mission("M20")
def test_three_layers_equal_torch(cell, dtype):
    torch.manual_seed(0)
    reference = TORCH[cell](4, 6, num_layers=3, batch_first=True).to(dtype)
    network = Recurrent(4, 6, cell=cell, num_layers=3).to(dtype)
    copy_layers(network, reference)
    x = torch.randn(3, 50, 4, dtype=dtype)
    features, state = network.absorb(x, network.initial_state(3))
    expected, end = reference(x)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-12
    assert (features - expected).abs().max() <= tolerance
    for part, reference_part in zip(state, end if cell == "lstm" else (end,), strict=True):
        assert (part - reference_part.transpose(0, 1)).abs().max() <= tolerance


@pytest.mark.parametrize("cell", TORCH)
@pytest.mark.mission("M20")
def test_number_of_weights_per_layer_is_the_formula(cell):
    m, n, gates = 4, 6, {"gru": 3, "lstm": 4}.get(cell, 1)
    first, deeper = gates * (n * m + n * n + 2 * n), gates * (2 * n * n + 2 * n)
    # torch keeps two bias vectors per layer where the equations have one
    for layers in (1, 2, 3):
        network = Recurrent(m, n, cell=cell, num_layers=layers)
        assert count(network) == first + (layers - 1) * deeper


@pytest.mark.mission("M20")
def test_residual_adds_the_layer_below():
    torch.manual_seed(0)
    network = Recurrent(4, 6, cell="tanh", num_layers=2, residual=True)
    x = torch.randn(3, 7, 4)
    features, _ = network.absorb(x, network.initial_state(3))
    below, _ = network.layers[0](x)
    above, _ = network.layers[1](below)
    assert torch.allclose(features, below + above, atol=1e-6)


@pytest.mark.mission("M13")
def test_number_of_weights_does_not_depend_on_the_length():
    m, n = 3, 8
    network = Elman(m, n)
    assert count(network) == n * m + n * n + n
    for steps in (5, 30, 300):
        features, _ = network.absorb(torch.zeros(1, steps, m), network.initial_state(1))
        assert features.shape == (1, steps, n)


@pytest.mark.mission("M25")
def test_an_lstm_layer_has_four_times_the_weights_of_elmans():
    for m, n in [(1, 8), (5, 16)]:
        assert count(LSTM(m, n)) == 4 * count(Elman(m, n)) == 4 * (n * (m + n) + n)
        assert count(Recurrent(m, n, cell="lstm")) == 4 * count(Recurrent(m, n, cell="tanh"))


def copied(network: MGU) -> MinimalGatedUnit:
    cell = MinimalGatedUnit(network.W.shape[1], network.width).double()
    (cell.Wf, cell.W), (cell.Uf, cell.U) = (
        map(nn.Parameter, weights.detach().chunk(2)) for weights in (network.W, network.U)
    )
    cell.bf, cell.b = network.bf, network.b
    return cell


def test_minimal_gated_units_follow_their_equations():
    torch.manual_seed(0)
    network = MGU(4, 6).double()
    cell = copied(network)
    x = torch.randn(3, 50, 4, dtype=torch.float64)
    ours, _ = network.absorb(x, network.initial_state(3))
    theirs, _ = cell.absorb(x, cell.initial_state(3))
    assert (ours - theirs).abs().max() <= 1e-12
    assert count(network) == count(cell) == 2 * count(Elman(4, 6))


@pytest.mark.parametrize(("bias", "slope"), [(-1e4, 1.0), (1e4, 0.0)])
def test_minimal_gated_units_keep_or_replace_their_state(bias, slope):
    network = MGU(4, 6).double()
    with torch.no_grad():
        network.bf.fill_(bias)
        network.U[6:] = 0  # the candidate does not read h
    h = torch.randn(1, 6, dtype=torch.float64)
    after, _ = network.absorb(torch.randn(1, 9, 4, dtype=torch.float64), h)
    assert torch.equal(after[:, 0] == h, torch.full((1, 6), bool(slope)))
    moved, _ = network.absorb(torch.zeros(1, 9, 4).double(), h + 1)
    still, _ = network.absorb(torch.zeros(1, 9, 4).double(), h)
    assert torch.allclose(moved - still, torch.full_like(moved, slope))


@pytest.mark.parametrize("cell", CELLS)
def test_a_state_has_one_layer_after_another(cell):
    torch.manual_seed(0)
    network, single = (Recurrent(4, 6, cell=cell, num_layers=n).double() for n in (2, 1))
    single.layers[0].load_state_dict(network.layers[0].state_dict())
    x = torch.randn(3, 7, 4, dtype=torch.float64)
    ends = [leaves(net.absorb(x, net.initial_state(3))[1]) for net in (network, single)]
    for both, first in zip(*ends, strict=True):
        assert both.shape == (3, 2, 6)
        assert torch.allclose(both[:, :1], first, atol=1e-12)
