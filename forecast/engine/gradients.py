"""Where gradients go: from state to state, and from a forecast back to every past value.

Bengio, Simard and Frasconi, 1994, "Learning long-term dependencies with gradient descent is
difficult"; Pascanu, Mikolov and Bengio, 2013, "On the difficulty of training recurrent neural
networks".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from forecast.engine import stream
from forecast.engine.batches import Windows
from forecast.engine.model import Model
from forecast.engine.rollout import Choose, rollout
from forecast.engine.states import states_along
from forecast.networks.base import Network, State, leaves, pick, state_map, tile
from forecast.networks.recurrent import Recurrent

EXPLODED = 100.0  # a gradient norm; the loss is in spreads, and norms near 1 are usual
TOGETHER = 64  # steps whose Jacobians are computed at once


def flat(state: State) -> Tensor:
    """Return the numbers of a state side by side, (B, S)."""
    return torch.cat([leaf.flatten(1) for leaf in leaves(state)], 1)


def step_jacobians(network: Network, inputs: Tensor) -> Tensor:
    """Return ds_t / ds_{t-1} of every step of one series, (T, S, S).

    Parameters
    ----------
    network
        Any that has a state of S numbers.
    inputs
        What it reads, (1, T, F).

    Examples
    --------
    >>> from forecast.teaching.textbook import Elman
    >>> network = Elman(1, 2, activation="identity")  # s_t = U x_t + W s_{t-1} + b
    >>> bool((step_jacobians(network, torch.zeros(1, 3, 1)) == network.W).all())
    True
    """
    before = pick(states_along(network, inputs), slice(0, -1))
    parts = [
        _jacobians(network, inputs[0, some], pick(before, some))
        for some in torch.arange(inputs.shape[1]).split(TOGETHER)
    ]
    return torch.cat(parts)


def _jacobians(network: Network, inputs: Tensor, before: State) -> Tensor:
    """Return ds / d before for T states at once: row i of each copy asks for the gradient of s_i.

    A step's Jacobian needs its own state and input alone, so the steps are rows of one batch.
    """
    T, S = flat(before).shape
    rows = state_map(lambda part: part.clone().requires_grad_(), tile(before, S))
    _, after = network.advance(inputs.repeat_interleave(S, 0), rows)
    wanted = torch.eye(S, dtype=inputs.dtype).repeat(T, 1)
    gradients = torch.autograd.grad(flat(after), leaves(rows), wanted)
    return torch.cat([part.flatten(1) for part in gradients], 1).unflatten(0, (T, S))


def state_gradients(jacobians: Tensor) -> Tensor:
    """Return the norms |ds_T / ds_k|_2 for lags T - k = 0 ... T, (T + 1,).

    The Jacobian over many steps is the product J_T J_{T-1} ... J_{k+1} of those of the steps.
    """
    product = torch.eye(jacobians.shape[-1], dtype=jacobians.dtype)
    norms = [torch.ones((), dtype=jacobians.dtype)]
    for jacobian in jacobians.flip(0):
        product = product @ jacobian
        norms.append(torch.linalg.matrix_norm(product, 2))
    return torch.stack(norms)


def gamma(network: Network) -> float | None:
    """Return the bound on one step of Elman's recurrence, |ds_t / ds_{t-1}|_2 <= gamma.

    gamma = |W|_2 max|g'|, and max|g'| = 1 for tanh and relu; over n steps the norm is at most
    gamma^n. Gated cells and stacks have no such bound: None.
    """
    if not isinstance(network, Recurrent) or network.cell not in ("tanh", "relu"):
        return None
    W, *above = (layer.get_parameter("weight_hh_l0").detach() for layer in network.layers)
    return None if above else float(torch.linalg.matrix_norm(W, 2))


def forecast_gradients(
    model: Model, windows: Windows, series: int, ahead: Tensor, choose: Choose, lags: int
) -> Iterator[Tensor]:
    """Yield d y_{T+h} / d y_{T-lag+1} for every step h of the forecast, (lags,), in target units.

    Parameters
    ----------
    model, windows
        On one device.
    series
        Which series of the windows.
    ahead
        What is known of the steps to come, (1, H, K).
    choose
        What is forecast: `rollout.greedy`.
    lags
        How many of the newest values; the first is the newest of all. What came before them is
        read without gradient.
    """
    row = torch.tensor([series], device=windows.device)
    ends = windows.lengths[row]
    with torch.no_grad():
        live = stream.encode_phases(model, windows, row, ends - lags)
    values = windows.take(row, ends - lags, lags, ends).requires_grad_()
    drivers = windows.drivers(row, ends - lags, lags, ends)
    _, live = stream.absorb(model, values, live, drivers)
    forecast = rollout(model, live, ahead, choose)[0]  # (H,)
    for step in forecast:
        yield torch.autograd.grad(step, values, retain_graph=True)[0][0].flip(0)


def backward_norms(network: Network, inputs: Tensor) -> Tensor:
    """Return the share of a gradient that is left after each number of recurrent steps back, (T,).

    One backward pass from a random direction v of the last states s_T: |(ds_T / ds_k)^T v| / |v|,
    the root of its mean square over the rows, for T - k = 0 ... T - 1. It is at most the norm that
    `state_gradients` returns, and cheap enough for every `fit`.

    Parameters
    ----------
    network
        Any that has a state; in double precision, see `states.exact`.
    inputs
        What it reads in training windows, (B, T, F).
    """
    state, every = network.initial_state(len(inputs)), []
    for x in inputs.unbind(1):
        _, state = network.advance(x, state)
        every.append(leaves(state))
    last = flat(state)
    v = torch.randn(last.shape, generator=torch.Generator().manual_seed(0), dtype=last.dtype)
    flattened = [leaf for state in every for leaf in state]
    found = torch.autograd.grad((last * v).sum(), flattened)
    squares = torch.stack([part.square().sum() for part in found])
    squares = squares.unflatten(0, (len(every), -1)).sum(1)  # (T,)
    return (squares / v.square().sum()).sqrt().flip(0)


def exploded(norms: Sequence[float], clip_norm: float | None) -> str | None:
    """Say that gradients exploded in training, and what to change; None if they did not.

    Parameters
    ----------
    norms
        The largest gradient norm of each epoch, before clipping. The loss is in spreads, so norms
        near 1 are usual, whatever the data; 100 is an explosion.
    clip_norm
        The bound in use.

    Examples
    --------
    >>> exploded([0.4, 3e5], clip_norm=1.0)
    'The gradient explodes: its norm reached 3e+05 in epoch 2, where norms near 1 are usual. \
Clipping bounds the steps; lower `learning_rate` or shorten `context_length` too.'
    """
    epoch = int(torch.as_tensor(norms).argmax())  # that of NaN, if there is one
    if norms[epoch] <= EXPLODED:
        return None
    clip = "Set `clip_norm=1.0` (now None)" if clip_norm is None else "Clipping bounds the steps"
    return (
        f"The gradient explodes: its norm reached {norms[epoch]:.3g} in epoch {epoch + 1}, where "
        f"norms near 1 are usual. {clip}; lower `learning_rate` or shorten `context_length` too."
    )


def vanished(norms: Tensor, patch: int) -> str | None:
    """Say that gradients vanish in a training window, and what to change; None if they do not.

    They do if less than single precision can tell from zero is left after a quarter of the window:
    the other three quarters cost time and teach the state nothing.

    Parameters
    ----------
    norms
        What `backward_norms` returns for training windows, (T,).
    patch
        P, values per recurrent step.

    Examples
    --------
    >>> vanished(0.9 ** torch.arange(40), patch=1)
    >>> vanished(0.1 ** torch.arange(40), patch=24)
    'The gradient vanishes: less than 1e-07 of it is left after 7 of the 40 recurrent steps of a \
training window, so the state learns nothing from further back. Shorten `context_length` to about \
168, lower `learning_rate`, or take an LSTMForecaster.'
    """
    eps, steps = torch.finfo(torch.float32).eps, len(norms)
    left = int((norms >= eps).sum())
    if left >= steps / 4:
        return None
    return (
        f"The gradient vanishes: less than {eps:.0e} of it is left after {left} of the {steps} "
        "recurrent steps of a training window, so the state learns nothing from further back. "
        f"Shorten `context_length` to about {left * patch}, lower `learning_rate`, or take an "
        "LSTMForecaster."
    )
