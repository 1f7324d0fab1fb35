"""A convolution's memory is its window: how wide, at what price, and in which direction."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian

from forecast.teaching.convolution import Convolution


def slope(network: Convolution, steps: int) -> torch.Tensor:
    """Return |d features / d inputs|, (steps, steps): no unit of it is switched off."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    x = torch.rand(1, steps, 1, dtype=torch.float64)
    whole = jacobian(lambda x: network.absorb(x, network.initial_state(1))[0].sum((0, 2)), x)
    return whole[:, 0, :, 0]


@pytest.mark.parametrize(
    ("kernel_size", "num_layers", "dilated", "field"),
    [(3, 4, False, 9), (2, 4, False, 5), (3, 3, True, 15), (2, 4, True, 16)],
)
@pytest.mark.mission("M05")
def test_nothing_is_seen_beyond_the_field(kernel_size, num_layers, dilated, field):
    k, L = kernel_size, num_layers
    assert field == (1 + (k - 1) * (2**L - 1) if dilated else 1 + L * (k - 1))
    torch.manual_seed(0)
    network = Convolution(1, 4, kernel_size=k, num_layers=L, dilated=dilated).double()
    assert network.reach == field
    matrix = slope(network, 24)
    for t in range(24):
        for j in range(24):
            assert (matrix[t, j] != 0) == (0 <= t - j < field)  # exactly zero, or felt


def count(**options: object) -> int:
    return sum(p.numel() for p in Convolution(1, 8, **options).parameters())


@pytest.mark.mission("M05")
def test_weights_grow_with_the_field_or_with_its_logarithm():
    layer = count(num_layers=3) - count(num_layers=2)
    for depth in (2, 4, 8):
        plain = {"num_layers": depth, "dilated": False}
        # twice the field costs twice the layers, or one
        assert count(num_layers=2 * depth, dilated=False) == count(**plain) + depth * layer
        assert count(num_layers=depth + 1) == count(num_layers=depth) + layer
        assert Convolution(1, 8, num_layers=depth + 1).reach == 2 * 2**depth


@pytest.mark.mission("M05")
def test_a_convolution_that_is_centred_sees_the_future():
    torch.manual_seed(0)
    centred = nn.Conv1d(1, 4, 3, padding="same")
    causal = Convolution(1, 4, kernel_size=3, num_layers=1)
    x = torch.randn(1, 12, 1)
    later = x.clone()
    later[:, 6:] = torch.nan
    state = causal.initial_state(1)
    assert torch.equal(causal.absorb(x, state)[0][:, :6], causal.absorb(later, state)[0][:, :6])
    assert centred(later.mT).mT[:, 5].isnan().all()


def test_features_equal_the_sum_over_the_window():
    torch.manual_seed(0)
    network = Convolution(2, 3, kernel_size=3, num_layers=2).double()
    x = torch.randn(1, 9, 2, dtype=torch.float64)
    features, _ = network.absorb(x, network.initial_state(1))
    # zeros before the first input, of which the first layer makes more than zero
    below = [*torch.zeros(6, 2, dtype=torch.float64), *x[0]]
    for layer, distance in zip(network.layers, (1, 2), strict=True):
        below = [
            torch.relu(
                sum(layer.weight[:, :, 2 - j] @ below[t - j * distance] for j in range(3))
                + layer.bias
            )
            for t in range(2 * distance, len(below))
        ]
    assert torch.allclose(features[0], torch.stack(below), atol=1e-12)
