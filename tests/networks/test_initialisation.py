"""How weights start: what each function sets, and that it leaves the rest alone."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from forecast.networks.base import Cell
from forecast.networks.initialisation import STARTS, chrono, forget_bias, orthogonal
from forecast.networks.recurrent import CELLS, MGU, Recurrent
from forecast.teaching import textbook

N = 16
LSTMS = {
    "torch": lambda: nn.LSTM(3, N, num_layers=2),
    "fused": lambda: Recurrent(3, N, cell="lstm", num_layers=2),
    "textbook": lambda: textbook.Stacked(3, N, cell=textbook.LSTM),
}
# each with the number of its parameters that lead from state to state
ALL = {
    "torch lstm": (LSTMS["torch"], 2),
    "textbook lstm": (LSTMS["textbook"], 8),
    "rnn": (lambda: nn.RNN(3, N, num_layers=2), 2),
    "elman": (lambda: textbook.Elman(3, N), 1),
    "jordan": (lambda: textbook.Jordan(3, N), 1),
    "minimal": (lambda: textbook.MinimalGatedUnit(3, N), 2),
} | {cell: (partial(Recurrent, 3, N, cell=cell, num_layers=2), 2) for cell in CELLS}
every_lstm = pytest.mark.parametrize("build", LSTMS.values(), ids=LSTMS)


def cells(network: nn.Module) -> list[textbook.LSTM]:
    """Return the LSTM layers of any network as textbook cells."""
    found = []
    for module in network.modules():
        if isinstance(module, nn.LSTM):
            found += [textbook.LSTM.from_torch(module, k) for k in range(module.num_layers)]
        elif isinstance(module, textbook.LSTM):
            found.append(module)
    return found


@pytest.mark.parametrize(("build", "n_weights"), ALL.values(), ids=ALL)
def test_orthogonal_weights_from_state_to_state(build, n_weights):
    network = build()
    before = {name: p.clone() for name, p in network.named_parameters()}
    orthogonal(network)
    changed = {name: p for name, p in network.named_parameters() if not p.equal(before[name])}
    assert len(changed) == n_weights
    for name, weights in changed.items():
        for gate in weights[:, :N].split(N):
            assert torch.allclose(gate @ gate.T, torch.eye(N), atol=1e-5)
        assert torch.equal(weights[:, N:], before[name][:, N:])  # what leads from the input


@every_lstm
def test_forget_bias(build):
    network = build()
    before = cells(network)[0].bi.clone()
    forget_bias(network, 2.0)
    layers = cells(network)
    assert len(layers) == 2
    assert all(torch.equal(cell.bf, torch.full((N,), 2.0)) for cell in layers)
    assert torch.equal(layers[0].bi, before)


@every_lstm
@pytest.mark.mission("M26")
def test_chrono_spreads_the_memories(build):
    network = build()
    before = cells(network)[0]
    chrono(network, 50, torch.Generator().manual_seed(0))
    first, second = cells(network)
    for cell in (first, second):
        assert torch.equal(cell.bi, -cell.bf)
        steps = cell.bf.exp()
        assert 1 <= steps.min() < 10 and 40 < steps.max() <= 49
        forget, enter = torch.sigmoid(cell.bf), torch.sigmoid(cell.bi)
        assert torch.allclose(1 - forget, 1 / (1 + steps), atol=1e-5)
        assert torch.allclose(forget + enter, torch.ones(N), atol=1e-6)
    assert not torch.equal(first.bf, second.bf)
    assert torch.equal(first.bo, before.bo) and torch.equal(first.Wf, before.Wf)


def test_chrono_repeats_with_its_generator():
    first, again, other = nn.LSTM(3, N), nn.LSTM(3, N), nn.LSTM(3, N)
    for network, seed in [(first, 0), (again, 0), (other, 1)]:
        chrono(network, 50, torch.Generator().manual_seed(seed))
    assert torch.equal(first.bias_ih_l0[: 2 * N], again.bias_ih_l0[: 2 * N])
    assert not torch.equal(first.bias_ih_l0[: 2 * N], other.bias_ih_l0[: 2 * N])


class Wrapped(Cell):
    """A cell whose weights nobody has named."""

    def __init__(self):
        super().__init__()
        self.width, self.inner = N, nn.GRUCell(3, N)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, N)

    def advance(self, inputs, state):
        h = self.inner(inputs, state)
        return h, h


NOTHING = {
    "orthogonal": [nn.GRUCell(3, N), Wrapped(), nn.Linear(3, N)],
    "forget_bias": [nn.GRUCell(3, N), Wrapped(), Recurrent(3, N, cell="tanh")],
    "chrono": [nn.LSTMCell(3, N), Wrapped(), Recurrent(3, N, cell="gru")],
}


@pytest.mark.parametrize(
    ("start", "network"), [(k, n) for k, some in NOTHING.items() for n in some]
)
def test_what_would_change_nothing_is_refused(start, network):
    with pytest.raises(ValueError, match=r"`initialisation` finds no .* would change nothing"):
        STARTS[start](network, 50)


@pytest.mark.parametrize(
    "cell", [MGU(3, N), textbook.MinimalGatedUnit(3, N)], ids=["fast", "textbook"]
)
def test_a_gate_that_lets_in_and_forgets_is_set_once(cell):
    forget_bias(cell, 2.0)
    assert torch.equal(cell.bf, torch.full((N,), -2.0))  # lets in little, so forgets little
    chrono(cell, 50, torch.Generator().manual_seed(0))
    steps = (-cell.bf).exp()
    assert 1 <= steps.min() < 10 and 40 < steps.max() <= 49
    assert torch.allclose(cell.bf.sigmoid(), 1 / (1 + steps), atol=1e-5)
