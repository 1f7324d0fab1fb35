"""Backpropagation through time by hand: what autograd does for Elman's layer, on paper.

Werbos, 1990, "Backpropagation through time: what it does and how to do it". For

    s_t = tanh(a_t),  a_t = U x_t + W s_{t-1} + b,  o_t = V s_t + c

and a loss that is summed over the steps, L = sum_t l(o_t, y_t), the chain rule gives, from the last
step to the first,

    (1)  e_t = dl_t/do_t                        the step's own error
    (2)  g_t = V' e_t + W' d_{t+1}              dL/ds_t: its own loss, and all later ones
    (3)  d_t = g_t (1 - s_t^2)                  dL/da_t: through the tanh

    (4)  dL/dV = sum_t e_t s_t',  dL/dc = sum_t e_t
    (5)  dL/dU = sum_t d_t x_t',  dL/dW = sum_t d_t s_{t-1}',  dL/db = sum_t d_t

with ' for transposed and d_{T+1} = 0. The sums are there because all steps share their weights.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Loss = Literal["squared", "cross_entropy"]


class Weights(NamedTuple):
    """The weights of Elman's layer and its output, or the gradient with respect to each."""

    U: Array  # (n, m)
    W: Array  # (n, n)
    b: Array  # (n,)
    V: Array  # (q, n)
    c: Array  # (q,)


def states(weights: Weights, x: Array) -> Array:
    """Return s_0 = 0, s_1 ... s_T, (T + 1, n), for inputs (T, m).

    Examples
    --------
    >>> one, zero = np.ones((1, 1)), np.zeros(1)
    >>> states(Weights(U=one, W=one, b=zero, V=one, c=zero), np.ones((2, 1))).ravel().round(2)
    array([0.  , 0.76, 0.94])
    """
    s = [np.zeros(len(weights.W))]
    for x_t in x:
        s.append(np.tanh(weights.U @ x_t + weights.W @ s[-1] + weights.b))
    return np.array(s)


def loss_and_errors(outputs: Array, y: Array, loss: Loss = "squared") -> tuple[float, Array]:
    """Return L and e_t = dl_t/do_t, (T, q); a step whose target is NaN has no loss.

    Parameters
    ----------
    outputs, y : array (T, q)
        What came and what should have come; for the cross-entropy y_t is one-hot, or a
        distribution.
    loss : {"squared", "cross_entropy"}
        l_t = |o_t - y_t|^2 / 2, or l_t = -sum_k y_tk log softmax(o_t)_k. Both have
        e_t = prediction - target.

    Examples
    --------
    >>> loss_and_errors(np.array([[1.0], [2.0]]), np.array([[3.0], [np.nan]]))
    (2.0, array([[-2.],
           [ 0.]]))
    """
    if loss == "squared":
        errors = np.nan_to_num(outputs - y)
        return float(np.sum(errors**2) / 2), errors
    shifted = outputs - outputs.max(axis=1, keepdims=True)  # exp must not overflow
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-np.nansum(y * log_softmax)), np.nan_to_num(np.exp(log_softmax) - y)


def gradient(
    weights: Weights, x: Array, y: Array, *, loss: Loss = "squared", truncation: int | None = None
) -> tuple[Weights, Array]:
    """Return dL/dweights, and dL/dx_t for every input (T, m).

    Parameters
    ----------
    weights : Weights
        U, W, b, V and c.
    x, y : array (T, m), (T, q)
        Inputs and targets; NaN where a step has no target.
    loss : {"squared", "cross_entropy"}
        See `loss_and_errors`.
    truncation : int, optional
        Cut the series into pieces of so many steps: the states pass from piece to piece, the
        gradient does not (truncated backpropagation through time).

    Examples
    --------
    One unit, two steps and a loss on the last alone: dL/dW = e_2 V (1 - s_2^2) s_1.

    >>> one, zero = np.ones((1, 1)), np.zeros(1)
    >>> weights = Weights(U=one, W=one, b=zero, V=one, c=zero)
    >>> x, y = np.array([[0.5], [0.0]]), np.array([[np.nan], [1.0]])
    >>> _, s_1, s_2 = states(weights, x).ravel()
    >>> by_hand = (s_2 - 1) * (1 - s_2**2) * s_1
    >>> float(gradient(weights, x, y)[0].W[0, 0] / by_hand)
    1.0
    """
    s = states(weights, x)
    _, e = loss_and_errors(s[1:] @ weights.V.T + weights.c, y, loss)  # (1)
    d = np.zeros((len(x) + 1, len(weights.W)))  # d_1 ... d_{T+1}
    for t in reversed(range(len(x))):
        ends_a_piece = truncation is not None and (t + 1) % truncation == 0
        later = 0.0 if ends_a_piece else weights.W.T @ d[t + 1]
        g = weights.V.T @ e[t] + later  # (2)
        d[t] = g * (1 - s[t + 1] ** 2)  # (3)
    d = d[:-1]
    full = Weights(U=d.T @ x, W=d.T @ s[:-1], b=d.sum(0), V=e.T @ s[1:], c=e.sum(0))  # (4), (5)
    return full, d @ weights.U


def printed_gradient(weights: Weights, x: Array, y: Array) -> Array:
    """Return dL/dW as it is often printed, which is *wrong*: to be held against `gradient`.

    In the printed form d_t = dL/ds_t, without the derivative of the tanh at step t itself; the
    first step's own loss is missing from d_1; and dL/dW = sum_t d_t s_{t-1}' has no terms
    d_t x_t', even where one matrix serves inputs and states.
    """
    s = states(weights, x)
    _, e = loss_and_errors(s[1:] @ weights.V.T + weights.c, y)
    d = weights.V.T @ e[-1]  # d_T = dl_T/ds_T
    total = np.outer(d, s[-2])
    for t in reversed(range(len(x) - 1)):
        own = weights.V.T @ e[t] if t else 0.0  # forgotten at the first step
        d = weights.W.T @ (d * (1 - s[t + 2] ** 2)) + own  # d_{t+1} ds_{t+1}/ds_t + own
        total += np.outer(d, s[t])
    return total
