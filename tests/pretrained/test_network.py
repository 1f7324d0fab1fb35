"""The network of fixed width: a row is read as if alone, and value by value as in one go."""

from __future__ import annotations

import pytest
import torch

from forecast.generated.series import draw_series
from forecast.pretrained.weights import card, load_network, shipped_network


@pytest.fixture(scope="module")
def network():
    return load_network().double()


@pytest.fixture
def drawn():
    values, season, second = (torch.from_numpy(part) for part in draw_series(0, 12, 90))
    values[:, 0] = values[:, 0].nan_to_num(1.0)  # a history begins with a value
    return values, season, second


@pytest.mark.parametrize("lead", [1, 37])
def test_what_is_unobserved_before_the_first_value_is_not_read(network, drawn, lead):
    values, season, second = drawn
    padded = torch.nn.functional.pad(values, (lead, 0), value=torch.nan)
    padded[0] = torch.cat([values[0], values[0, -1:].expand(lead)])  # one row has more of them
    whole = network.quantiles(padded, season, second, 9)
    alone = network.quantiles(values, season, second, 9)
    torch.testing.assert_close(whole[1:], alone[1:], rtol=1e-9, atol=1e-9)


def test_one_value_after_the_other_is_read_as_all_at_once(network, drawn):
    values, season, second = drawn
    state = network.read(values[:, :60], season, second).state
    for end in range(61, 91):
        reading = network.read(values[:, :end], season, second, state)
        state = reading.state
    whole = network.read(values, season, second)
    torch.testing.assert_close(reading.features[:, -1], whole.features[:, -1])
    newest, steps = torch.tensor([89]), torch.tensor([1, 8, 30])
    answers = [network.forecast(one, newest, steps) for one in (reading, whole)]
    torch.testing.assert_close(*answers)


def test_the_shipped_weights_say_where_they_come_from():
    assert int(card()["steps"]) > 1000
    assert shipped_network() is shipped_network()
    assert not any(weight.requires_grad for weight in shipped_network().parameters())
