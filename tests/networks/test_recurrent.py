"""Recurrent stacks against torch's own, and their parameter counts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from forecast.networks.recurrent import Recurrent
from forecast.teaching.textbook import LSTM, Elman

TORCH = {
    "tanh": lambda *a, **k: nn.RNN(*a, nonlinearity="tanh", **k),
    "relu": lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}


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
