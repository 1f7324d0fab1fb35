"""How recurrent weights start, which decides what can be learned from far back.

Saxe et al., 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
networks", for orthogonal weights; Gers et al., 2000, "Learning to forget", for the bias of the
forget gate; Tallec and Ollivier, 2018, "Can recurrent neural networks warp time?", for the chrono
initialisation. All functions change a network in place, torch's layers and every `Cell` alike,
however deep inside they are, and raise a ValueError where there is nothing to change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from forecast.networks.base import Cell

T = TypeVar("T")


def orthogonal(network: nn.Module) -> None:
    """Make the matrices that lead from state to state orthogonal, one per gate.

    An orthogonal matrix keeps the length of what it multiplies, so that a linear recurrence
    neither forgets nor explodes.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place.

    Raises
    ------
    ValueError
        If no matrix is known to lead from state to state.

    Examples
    --------
    >>> layer = nn.RNN(2, 3)
    >>> orthogonal(layer)
    >>> torch.allclose(layer.weight_hh_l0 @ layer.weight_hh_l0.T, torch.eye(3), atol=1e-6)
    True
    """
    for matrix in _recurrent_weights(network):
        with torch.no_grad():
            for gate in matrix.split(matrix.shape[1]):
                gate.copy_(nn.init.orthogonal_(torch.empty_like(gate)))


def forget_bias(network: nn.Module, value: float = 1.0) -> None:
    """Let forget gates start at sigmoid(value) instead of near a half.

    A state then shrinks by about e in 1 / (1 - sigmoid(value)) steps: 3.7 at the usual 1.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place.
    value : float
        The bias.

    Raises
    ------
    ValueError
        If no gate is known that forgets.

    Examples
    --------
    >>> layer = nn.LSTM(2, 3)
    >>> forget_bias(layer)
    >>> (layer.bias_ih_l0 + layer.bias_hh_l0)[3:6].tolist()
    [1.0, 1.0, 1.0]
    """
    for enter, forget in _gate_biases(network):
        bias = torch.full_like((forget or enter)[0], value)
        _set(forget, bias)
        if not forget:
            _set(enter, -bias)


def chrono(network: nn.Module, longest: int, generator: torch.Generator | None = None) -> None:
    """Spread the memories of gated units over 1 ... `longest` - 1 steps.

    b_f = log u with u ~ U(1, longest - 1), and b_i = -b_f: a unit forgets by 1 / (1 + u) and
    writes by as much. A unit that has only a gate that writes forgets by what it writes.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place.
    longest : int
        Steps over which something may have to be remembered.
    generator : torch.Generator, optional
        Source of the numbers.

    Raises
    ------
    ValueError
        If no gate is known that forgets.

    Examples
    --------
    >>> layer = nn.LSTM(2, 500)
    >>> chrono(layer, 100, torch.Generator().manual_seed(0))
    >>> enter, forget = (layer.bias_ih_l0 + layer.bias_hh_l0)[:1000].chunk(2)
    >>> torch.equal(enter, -forget), [round(u.exp().item()) for u in forget.aminmax()]
    (True, [1, 99])
    """
    for enter, forget in _gate_biases(network):
        u = torch.empty_like((forget or enter)[0]).uniform_(1, longest - 1, generator=generator)
        _set(forget, u.log())
        _set(enter, -u.log())


# By name: what each does to a network whose training windows have so many steps.
STARTS: dict[str, Callable[[nn.Module, int], None]] = {
    "default": lambda network, steps: None,
    "orthogonal": lambda network, steps: orthogonal(network),
    "forget_bias": lambda network, steps: forget_bias(network),
    "chrono": lambda network, steps: chrono(network, steps),
}


def _recurrent_weights(network: nn.Module) -> list[Tensor]:
    """Return every matrix from state to state, the gates stacked along the first axis."""
    found: list[Tensor] = []
    for module in network.modules():
        if isinstance(module, nn.RNNBase):
            found += (module.get_parameter(f"weight_hh_l{k}") for k in range(module.num_layers))
        elif isinstance(module, Cell):
            found += module.recurrent_weights()
    return _some(found, "matrices from state to state", "recurrent_weights")


def _gate_biases(network: nn.Module) -> list[tuple[list[Tensor], list[Tensor]]]:
    """Return the bias terms of input and forget gate, layer by layer; see `Cell.gate_biases`."""
    found: list[tuple[list[Tensor], list[Tensor]]] = []
    for module in network.modules():
        if isinstance(module, nn.LSTM):
            found += (_lstm_biases(module, k) for k in range(module.num_layers))
        elif isinstance(module, Cell):
            found += module.gate_biases()
    return _some(found, "biases of gates that forget", "gate_biases")


def _lstm_biases(layer: nn.LSTM, depth: int) -> tuple[list[Tensor], list[Tensor]]:
    parts = [layer.get_parameter(f"bias_{end}_l{depth}") for end in ("ih", "hh")]
    gates = [part.chunk(4) for part in parts]  # i, f, c, o
    return [part[0] for part in gates], [part[1] for part in gates]


def _some(found: list[T], what: str, method: str) -> list[T]:
    if not found:
        raise ValueError(
            f"`initialisation` finds no {what} in this network, and would change nothing. Choose "
            f"another one; a cell of your own names them by its method `{method}`."
        )
    return found


def _set(parts: list[Tensor], value: Tensor) -> None:
    """Let the first part be the value and the others zero."""
    with torch.no_grad():
        for k, part in enumerate(parts):
            part.copy_(value if k == 0 else torch.zeros_like(value))
