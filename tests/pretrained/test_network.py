"""The network: its readout's unit, its rows alone and value by value, its weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import softplus

from forecast.generated.series import draw_series
from forecast.networks.heads.quantile import QuantileHead
from forecast.pretrained.network import PretrainedNetwork, rescaled
from forecast.pretrained.reader import TEMPLATES, Mistakes
from forecast.pretrained.weights import card, load_network, shipped_network


@pytest.fixture
def untrained():
    torch.manual_seed(0)
    network = PretrainedNetwork(width=8).eval()
    torch.nn.init.normal_(network.readout.out.weight, std=0.3)
    return network


@pytest.fixture(scope="module")
def shipped():
    return load_network()


def test_rescaled_parameters_give_as_many_times_the_widths():
    params = torch.linspace(-9, 9, 25)
    shift = QuantileHead.softplus_shift
    for factor in (0.001, 0.5, 1.0, 7.0):
        given = softplus(rescaled(params, torch.tensor(factor)) - shift)
        wanted = factor * softplus(params - shift)
        torch.testing.assert_close(given, wanted, rtol=1e-3, atol=3e-6)


def test_widths_are_in_the_unit_of_the_template_that_did_best(untrained):
    readout, one = untrained.readout, torch.ones(1, 1, 3, TEMPLATES)
    features, place = torch.randn(1, 1, 8), torch.randn(1, 1, 3, 8)
    torch.nn.init.zeros_(readout.from_origin.weight)  # it may not read the errors otherwise

    def widths(best):
        errors = torch.zeros(1, 1, TEMPLATES)
        errors[..., 5] = math.log(best)
        told = torch.cat([0 * errors, errors, errors], -1)
        params = readout(features, Mistakes(0 * errors, told), one > 0, one, place)
        return softplus(params[..., 1:] - QuantileHead.softplus_shift)

    torch.testing.assert_close(widths(0.1), 0.1 * widths(1.0), rtol=1e-3, atol=1e-5)


def test_a_row_is_forecast_as_if_it_were_alone(untrained):
    values, season, second = (torch.from_numpy(part) for part in draw_series(1, 6, 80))
    together = untrained.quantiles(values, season, second, 7)
    for row in range(6):
        one = slice(row, row + 1)
        alone = untrained.quantiles(values[one], season[one], second[one], 7)
        torch.testing.assert_close(together[one], alone, rtol=2e-3, atol=2e-3)


def test_the_recurrence_absorbs_the_newest_values_that_are_there(untrained):
    values, season, second = (torch.from_numpy(part) for part in draw_series(3, 3, 80))
    values[2, :70] = torch.nan
    newest, own = torch.tensor([30, 50, 50]), (30, 50, 10)
    whole = untrained.read(values, season, second)
    inputs, _ = untrained.inputs(whole.past, 80)
    with torch.no_grad():
        found = untrained.read(values, season, second, newest)
        assert found.features.shape == (3, 50, 8)
        for row, count in enumerate(own):
            start = untrained.recurrence.initial_state(1)
            slow, _ = untrained.recurrence.absorb(inputs[row : row + 1, -count:], start)
            torch.testing.assert_close(found.features[row, -count:], slow[0])
            told = found.outlook.mistakes.told[row, -count:]
            torch.testing.assert_close(told, whole.outlook.mistakes.told[row, -count:])


def test_an_origin_is_read_out_as_if_nothing_followed(untrained):
    values, season, second = (torch.from_numpy(part) for part in draw_series(2, 6, 80))
    steps = torch.tensor([1, 9])
    whole = untrained.read_out(untrained.read(values, season, second), torch.tensor([59]), steps)
    cut = untrained.read(values[:, :60], season, second)
    torch.testing.assert_close(
        whole, untrained.read_out(cut, torch.tensor([59]), steps), rtol=1e-3, atol=1e-3
    )


def test_farther_than_was_taught_the_median_stays_that_of_its_phase(shipped):
    y = torch.randn(2, 90, generator=torch.Generator().manual_seed(0)).double().cumsum(1)
    season, second = torch.tensor([1, 4]), torch.tensor([0, 0])
    steps, reading = torch.arange(100, 220), shipped.read(y, season, second)
    found = shipped.forecast(reading, torch.tensor([89]), steps)[:, 0]
    asked = shipped.head.quantiles(shipped.read_out(reading, torch.tensor([89]), steps))[:, 0]
    level, spread = (torch.from_numpy(part)[:, -1:, None] for part in reading.past[2:4])
    asked = level + spread * asked
    middle, most = shipped.head.middle, (112, 128)
    for row, m in enumerate((1, 4)):
        near = int((steps <= most[row]).sum())
        torch.testing.assert_close(found[row, :near], asked[row, :near])
        center = found[row, :, middle]
        torch.testing.assert_close(center[near:], center[near - m : near].repeat(120)[: 120 - near])
        # bands are as wide as they are read there
        widths = (part[row].diff(dim=-1) for part in (found, asked))
        torch.testing.assert_close(*widths)


@pytest.mark.parametrize("period", [7, 12, 24])
def test_a_noiseless_season_is_continued(shipped, period):
    t = torch.arange(10 * period).double()
    y = 100 + 10 * torch.sin(2 * torch.pi * t / period)
    q = shipped.quantiles(y[None, : 9 * period], torch.tensor([period]), torch.tensor([0]), period)
    middle = q[0, :, q.shape[-1] // 2]
    assert (middle - y[9 * period :]).abs().max() < 0.4  # 2 percent of the range


def test_a_forecast_follows_unit_and_level(shipped):
    y = torch.randn(1, 60, generator=torch.Generator().manual_seed(0)).double().cumsum(1)
    season, second = torch.tensor([12]), torch.tensor([0])
    first = shipped.quantiles(y, season, second, 12)
    other = shipped.quantiles(3 * y + 50, season, second, 12)
    torch.testing.assert_close(other, 3 * first + 50, rtol=1e-3, atol=1e-2)


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
        reading = network.read(values[:, :end], season, second, before=state)
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


def test_a_season_beyond_what_was_taught_leaves_every_step_a_forecast(shipped):
    y = torch.sin(torch.arange(1100.0) * 2 * torch.pi / 144)[None] + 10
    season, second = torch.tensor([144]), torch.tensor([1008])
    found = shipped.quantiles(y, season, second, 800)
    assert found.isfinite().all()
    middle = found[0, 719:, 7]  # the median of the farthest step that was taught goes on
    torch.testing.assert_close(middle, middle[:1].expand(81))
