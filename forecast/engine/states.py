"""What a network's state does along a series: every state, and the gates that made it.

All of it for one series, on the CPU, in double precision: to be looked at, not to be fast.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from forecast.engine.batches import Windows
from forecast.engine.model import Model
from forecast.networks.base import Network, State, leaves, stack, state_map
from forecast.networks.conditioned import Described
from forecast.networks.recurrent import Recurrent
from forecast.networks.seq2seq import Seq2Seq


def exact(network: Network) -> Network:
    """Return a copy in double precision on the CPU, without dropout; of a Seq2Seq, its encoder."""
    network = network.encoder if isinstance(network, Seq2Seq) else network
    return copy.deepcopy(network).cpu().double().eval()


def recurrence(network: Network, inputs: Tensor, static: Tensor) -> tuple[Network, Tensor]:
    """Return the network that carries the state, and all that it reads, static features too."""
    if not isinstance(network, Described):
        return network, inputs
    return network.recurrence(inputs, static.to(inputs))


def inputs_along(model: Model, windows: Windows, series: int) -> tuple[Tensor, Tensor]:
    """Return what the network reads of a series, (1, T, F), and after which values, (T,).

    The steps lie P values apart and end with the series, as those of a forecast do.
    """
    reader, row = model.reader, torch.tensor([series], device=windows.device)
    ends, P = windows.lengths[row], reader.patch
    n_steps = -(-int(ends) // P)
    first = ends - n_steps * P
    batch = windows.batch(row, first, ends, n_steps=n_steps, reader=reader)
    return batch.inputs.cpu().double(), (first.cpu() + P * torch.arange(1, n_steps + 1)) - 1


def states_along(network: Network, inputs: Tensor) -> State:
    """Return the states s_0 ... s_T of one series, stacked along the batch: (T + 1, ...).

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> h, c = states_along(Recurrent(3, 8, cell="lstm"), torch.zeros(1, 5, 3))
    >>> h.shape
    torch.Size([6, 1, 8])
    """
    states = [state_map(Tensor.detach, network.initial_state(1))]  # it may be learned
    with torch.no_grad():
        for x in inputs.unbind(1):
            states.append(network.advance(x, states[-1])[1])
    return stack(states)


def width(network: Network) -> int:
    """Return how many numbers the state of one series has; 0 for a window model."""
    return sum(leaf[0].numel() for leaf in leaves(network.initial_state(1)))


def lstm_gates(network: Recurrent, inputs: Tensor, layer: int = 0) -> dict[str, Tensor]:
    """Return what the gates of an LSTM layer do with inputs (1, T, F), (T, D) each.

    Computed from the layer's weights by the equations of Gers, Schmidhuber and Cummins, 2000,

        f_t = sigma(W_f [h_{t-1}, x_t] + b_f),    i_t, o_t likewise,
        C~_t = tanh(W_c [h_{t-1}, x_t] + b_c),
        C_t = f_t C_{t-1} + i_t C~_t,             h_t = o_t tanh(C_t).

    Parameters
    ----------
    network
        With LSTM cells.
    inputs
        What the network reads.
    layer
        Counted from 0; layer l reads what layer l - 1 gives.

    Returns
    -------
    dict
        "forget", "input", "candidate", "output", "cell" and "hidden": f, i, C~, o, C and h.
    """
    h, c = states_along(network, inputs)  # (T + 1, layers, D)
    x = inputs[0]
    for below in range(layer):
        x = h[1:, below] + (x if network.residual and below else 0)
    cell: Any = network.layers[layer]
    with torch.no_grad():
        z = x @ cell.weight_ih_l0.T + cell.bias_ih_l0
        z = z + h[:-1, layer] @ cell.weight_hh_l0.T + cell.bias_hh_l0  # (T, 4 D)
    i, f, candidate, o = z.chunk(4, -1)  # torch's order
    return {
        "forget": f.sigmoid(),
        "input": i.sigmoid(),
        "candidate": candidate.tanh(),
        "output": o.sigmoid(),
        "cell": c[1:, layer],
        "hidden": h[1:, layer],
    }
