"""The contract of networks, for every network there is (tests/checks.py finds them)."""

from __future__ import annotations

import pytest
import torch

from forecast.networks import base
from tests.checks import NetworkCase, network_cases, same, tensors

CASES = network_cases()
every_network = pytest.mark.parametrize("case", CASES, ids=str)


def inputs(rows=4, steps=11, features=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, steps, features, generator=generator, dtype=torch.float64)


def test_the_suite_finds_the_networks():
    assert {"MLP", "Recurrent", "Convolution", "Elman", "Jordan", "Stacked", "LSTM"} <= {
        case.kind.__name__ for case in CASES
    }


@every_network
def test_absorb_equals_advance_step_by_step(case: NetworkCase):
    network, u = case.build(), inputs()
    features, end = network.absorb(u, network.initial_state(4))
    state, steps = network.initial_state(4), []
    for t in range(u.shape[1]):
        feature, state = network.advance(u[:, t], state)
        steps.append(feature)
    same(features, torch.stack(steps, 1))
    same(end, state)
    assert features.shape == (4, 11, network.width)


@every_network
@pytest.mark.mission("M08")
def test_two_pieces_equal_one_pass(case: NetworkCase):
    network, u = case.build(), inputs()
    features, end = network.absorb(u, network.initial_state(4))
    first, state = network.absorb(u[:, :4], network.initial_state(4))
    second, state = network.absorb(u[:, 4:], state)
    same(features, torch.cat([first, second], 1), 1e-12)
    same(end, state, 1e-12)


@every_network
@pytest.mark.mission("M09")
def test_the_future_changes_no_bit_of_the_past(case: NetworkCase):
    network, u = case.build(), inputs()
    later = u.clone()
    later[:, 6:] = torch.nan
    state = network.initial_state(4)
    before, after = network.absorb(u, state)[0], network.absorb(later, state)[0]
    assert torch.equal(before[:, :6], after[:, :6])


@every_network
def test_batch_equals_singles(case: NetworkCase):
    network, u = case.build(), inputs()  # 4 rows: no number of layers that is in use
    features, end = network.absorb(u, network.initial_state(4))
    for row in range(4):
        alone, state = network.absorb(u[row : row + 1], network.initial_state(1))
        same(features[row : row + 1], alone)
        same(base.pick(end, slice(row, row + 1)), state)
    assert all(len(tensor) == 4 for tensor in tensors(end))


@every_network
@pytest.mark.mission("M36")
def test_a_padded_batch_equals_one_by_one(case: NetworkCase):
    """Outputs, states and gradients, of inputs and weights; padding of 1e9 changes nothing."""
    network, u, lengths = case.build(), inputs(), (11, 3, 7, 1)
    padded = u.clone()
    for row, length in enumerate(lengths):
        padded[row, length:] = 1e9
    weights = [one for one in network.parameters() if one.requires_grad]

    def gradients(loss, of):  # a single step says nothing of some weights
        return torch.autograd.grad(loss, [of, *weights], materialize_grads=True)

    features, end = network.absorb(
        padded.requires_grad_(), network.initial_state(4), torch.tensor(lengths)
    )
    loss = sum(features[row, :length].square().sum() for row, length in enumerate(lengths))
    by_input, *by_weight = gradients(loss, padded)
    total = [torch.zeros_like(one) for one in by_weight]
    for row, length in enumerate(lengths):
        own = u[row : row + 1, :length].clone().requires_grad_()
        alone, state = network.absorb(own, network.initial_state(1))
        same(features[row : row + 1, :length], alone)
        same(base.pick(end, slice(row, row + 1)), state)
        gradient, *more = gradients(alone.square().sum(), own)
        same(by_input[row : row + 1, :length], gradient)
        assert (by_input[row, length:] == 0).all()
        total = [sum_ + one for sum_, one in zip(total, more, strict=True)]
    same(tuple(by_weight), tuple(total))


@every_network
def test_initial_state_gets_a_gradient_where_it_is_learned(case: NetworkCase):
    network = case.build()
    features, _ = network.absorb(inputs(), network.initial_state(4))
    features.square().sum().backward()
    for name in ("initial", "s0"):
        parameter = getattr(network, name, None)
        if parameter is not None and parameter.requires_grad:
            assert parameter.grad.abs().sum() > 0


@every_network
def test_a_network_stores_no_state(case: NetworkCase):
    network = case.build()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    attributes = set(vars(network))
    first = network.absorb(inputs(), network.initial_state(4))[0]
    again = network.absorb(inputs(), network.initial_state(4))[0]
    assert torch.equal(first, again)
    assert set(vars(network)) == attributes
    same(tuple(before.values()), tuple(network.state_dict().values()))


def test_states_are_tiled_picked_stacked_and_chosen():
    state = (torch.arange(3.0)[:, None], (torch.arange(3.0)[:, None] * 10,))
    assert base.tile(state, 2)[0].flatten().tolist() == [0, 0, 1, 1, 2, 2]
    assert base.pick(state, torch.tensor([2, 0]))[1][0].flatten().tolist() == [20, 0]
    same(base.stack([base.pick(state, slice(0, 1)), base.pick(state, slice(1, 3))]), state)
    other = base.state_map(torch.zeros_like, state)
    kept = base.where(torch.tensor([True, False, True]), state, other)
    assert kept[1][0].flatten().tolist() == [0, 0, 20]
