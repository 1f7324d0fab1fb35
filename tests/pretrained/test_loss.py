"""The loss: errors count in the unit of their own past."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from forecast.pretrained.loss import rolling_loss, seasonal_change
from forecast.pretrained.network import PretrainedNetwork
from forecast.pretrained.reader import read

SEASON = torch.tensor([4, 1])


@pytest.fixture
def values() -> torch.Tensor:
    y = torch.randn(2, 40, generator=torch.Generator().manual_seed(0)).double().cumsum(1)
    y[0, 12] = torch.nan
    return y


@pytest.fixture
def network() -> PretrainedNetwork:
    torch.manual_seed(0)
    return PretrainedNetwork(width=8).requires_grad_(False)


def test_the_unit_is_the_mean_change_so_far(values):
    past = read(values, SEASON, 0 * SEASON)
    unit = seasonal_change(past)
    for row, m in enumerate(SEASON):
        change = (values[row, m:30] - values[row, : 30 - m]).abs()
        change = change[~change.isnan()]
        expected = (change.sum() + 4 * past.spread[row, 29]) / (len(change) + 4)
        assert unit[row, 29] == pytest.approx(expected.item())


def test_errors_are_weighed_by_the_past_alone(values):
    unit = seasonal_change(read(values, SEASON, 0 * SEASON))[:, :30]
    values[:, 30:] *= 100
    later = seasonal_change(read(values, SEASON, 0 * SEASON))[:, :30]
    np.testing.assert_allclose(later, unit)


def test_what_is_not_asked_for_or_not_there_does_not_count(network, values):
    reading = network.read(values, SEASON, 0 * SEASON)
    origins, steps = torch.tensor([20, 36]), torch.tensor([1, 3, 6])

    def loss(asked: torch.Tensor | None = None, steps: torch.Tensor = steps) -> torch.Tensor:
        return rolling_loss(network, reading, values, origins, steps, asked)

    few = torch.tensor([True, True, False])
    assert loss(few) == pytest.approx(loss(steps=steps[:2]).item())
    assert loss() != pytest.approx(loss(few).item())
    assert loss(steps=torch.tensor([50])) == 0
