"""Vector to sequence: told once or at every step, and a single step of every cell."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import linear

from forecast.networks.base import leaves
from forecast.networks.conditioned import WAYS, Conditioned, Described
from forecast.networks.recurrent import CELLS, Recurrent

each_way = pytest.mark.parametrize("way", WAYS)


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def made(kind=Conditioned, **options):
    torch.manual_seed(0)
    return kind(3, 5, **options).double().eval()


@pytest.mark.mission("M30")
@each_way
def test_without_recurrence_only_what_is_told_at_every_step_is_known_later(way):
    network, c = made(vector_size=2, to=way, cell="tanh"), draw(4, 2).requires_grad_()
    torch.nn.init.zeros_(network.body.layers[0].weight_hh_l0)
    first, state = network.start(c)
    features, _ = network.absorb(draw(4, 6, 3), state)
    every = torch.cat([first[:, None], features], 1)
    told = [
        bool((torch.autograd.grad(every[:, t].sum(), c, retain_graph=True)[0] != 0).any())
        for t in range(7)
    ]
    assert told == [True] + [way == "every_step"] * 6


@pytest.mark.mission("M30")
@each_way
@pytest.mark.parametrize("cell", CELLS)
def test_with_recurrence_a_vector_is_known_at_every_step(way, cell):
    network, c = made(vector_size=2, to=way, cell=cell, num_layers=2), draw(2, 2)
    u = draw(1, 9, 3).expand(2, -1, -1)
    features, _ = network.absorb(u, network.conditioned(c))
    assert ((features[0] - features[1]).abs().amax(-1) > 0).all()


@each_way
def test_a_vector_at_every_step_is_an_input_and_one_at_the_start_a_state(way):
    network, c, u = made(to=way, cell="gru"), draw(4, 5), draw(4, 6, 3)
    features, _ = network.absorb(u, network.conditioned(c))
    if way == "every_step":
        beside = torch.cat([u, c[:, None].expand(-1, 6, -1)], -1)
        expected, _ = network.body.absorb(beside, network.body.initial_state(4))
    else:
        opened = linear(c, network.opening.weight, network.opening.bias).tanh()
        expected, _ = network.body.absorb(u, (opened[:, None],))
    torch.testing.assert_close(features, expected)


@each_way
def test_categories_and_numbers_are_told_and_an_unknown_category_is_learned(way):
    network = made(Described, static_size=1, categories=(3, 2), to=way)
    static = torch.tensor([[0.5, 1, 1], [0.5, 2, 1], [-0.5, 1, 1], [0.5, 1, 1]]).double()
    features, _ = network.absorb(draw(1, 4, 3).expand(4, -1, -1), network.state_of(static))
    torch.testing.assert_close(features[0], features[3])
    assert not torch.allclose(features[0], features[1])
    assert not torch.allclose(features[0], features[2])
    network.train()
    with torch.random.fork_rng():
        sum(part.sum() for part in leaves(network.state_of(static.repeat(100, 1)))).backward()
    assert network.from_category[0].weight.grad[0].abs().sum() > 0


@pytest.mark.mission("M29")
@pytest.mark.parametrize("cell", CELLS)
def test_one_step_is_a_plain_layer(cell):
    """From a state of zeros: g(W x + b), by whatever gates are open then."""
    network, x = made(Recurrent, cell=cell), draw(4, 3)
    (feature,) = network.absorb(x[:, None], network.initial_state(4))[0].unbind(1)
    layer = network.layers[0]
    if cell == "mgu":
        f, candidate = linear(x, layer.W, torch.cat([layer.bf, layer.b])).chunk(2, -1)
        expected = f.sigmoid() * candidate.tanh()
    elif cell == "lstm":
        bias = layer.bias_ih_l0 + layer.bias_hh_l0
        i, _, candidate, o = linear(x, layer.weight_ih_l0, bias).chunk(4, -1)
        expected = o.sigmoid() * (i.sigmoid() * candidate.tanh()).tanh()
    elif cell == "gru":
        r, z, n = linear(x, layer.weight_ih_l0, layer.bias_ih_l0).chunk(3, -1)
        br, bz, bn = layer.bias_hh_l0.chunk(3)
        expected = (1 - (z + bz).sigmoid()) * (n + (r + br).sigmoid() * bn).tanh()
    else:
        bias = layer.bias_ih_l0 + layer.bias_hh_l0
        expected = getattr(linear(x, layer.weight_ih_l0, bias), cell)()
    torch.testing.assert_close(feature, expected)
    torch.testing.assert_close(network.advance(x, network.initial_state(4))[0], feature)
