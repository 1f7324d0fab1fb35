"""A window model sees its window and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch.autograd.functional import jacobian

from forecast.networks.window import MLP
from forecast.teaching.textbook import Elman


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.mission("M02")
def test_slope_is_zero_beyond_the_window(n: int) -> None:
    torch.manual_seed(0)
    network = MLP(n, 16).double()

    def forecasts(x: torch.Tensor) -> torch.Tensor:
        windows = x.unfold(0, n, 1)[None]  # (1, 12 - n + 1, n)
        return network.absorb(windows, network.initial_state(1))[0].sum((0, 2))

    matrix = jacobian(forecasts, torch.randn(12, dtype=torch.float64))
    for row in range(len(matrix)):
        t = row + n - 1  # the newest value of the window
        for j in range(12):
            assert (matrix[row, j] != 0) == (0 <= t - j < n)


@pytest.mark.mission("M19")
def test_a_layer_without_recurrence_is_a_perceptron_with_one_hidden_layer() -> None:
    torch.manual_seed(0)
    recurrent, perceptron = (
        Elman(3, 8, activation="relu").double(),
        MLP(3, 8, num_layers=1).double(),
    )
    with torch.no_grad():
        recurrent.W.zero_()
        perceptron.layers[0].weight.copy_(recurrent.U)
        perceptron.layers[0].bias.copy_(recurrent.b.normal_())
    x = torch.randn(2, 9, 3, dtype=torch.float64)
    ours, _ = recurrent.absorb(x, recurrent.initial_state(2))
    theirs, _ = perceptron.absorb(x, perceptron.initial_state(2))
    assert (ours - theirs).abs().max() <= 1e-12
