"""Dynamical systems: chaotic ones, and ones that answer an input.

A chaotic system is known without error one step ahead and not at all after some Lyapunov times:
small errors grow by e in each. Every generator returns a Series or a frame over the whole numbers
1 .. length; `attrs["floor"]` is as in `synthetic.py`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

from forecast._checks import number_between, positive_integer

LYAPUNOV = 0.906  # of Lorenz's system with its usual parameters: errors grow by exp(0.906 t)


def mackey_glass(length: int = 1000, *, tau: float = 17, settle: int = 1000) -> pd.Series:
    """Make Mackey and Glass's series, dx/dt = .2 x(t - tau) / (1 + x(t - tau)^10) - .1 x(t).

    It starts from x = 1.2, drops `settle` steps and is sampled once per unit of time. Chaotic for
    tau above 16.8; the next value follows from the values of the last tau units.

    Examples
    --------
    >>> mackey_glass(3).round(2).tolist()
    [0.9, 0.86, 0.82]

    References
    ----------
    Mackey and Glass, 1977, "Oscillation and chaos in physiological control systems".
    """
    length = positive_integer("length", length)
    dt, per_unit = 0.1, 10
    delay = round(number_between("tau", tau, 0.1, np.inf, ends="left") * per_unit)
    x = [1.2] * (delay + 1)
    for _ in range((settle + length) * per_unit):
        begin, end = x[-1 - delay], x[-delay]  # x(t - tau) at both ends of the step
        feeds = [0.2 * u / (1 + u**10) for u in (begin, (begin + end) / 2, end)]
        k1 = feeds[0] - 0.1 * x[-1]  # the classical method of Runge and Kutta
        k2 = feeds[1] - 0.1 * (x[-1] + dt / 2 * k1)
        k3 = feeds[1] - 0.1 * (x[-1] + dt / 2 * k2)
        k4 = feeds[2] - 0.1 * (x[-1] + dt * k3)
        x.append(x[-1] + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    sampled = np.array(x[delay + per_unit :: per_unit][settle:])
    return _frame({"mackey_glass": sampled}, 0.0)["mackey_glass"]


def lorenz(length: int = 1000, *, dt: float = 0.02, seed: int) -> pd.DataFrame:
    """Make Lorenz's system, sampled every `dt` on its attractor; columns x, y and z.

    dx/dt = 10 (y - x), dy/dt = x (28 - z) - y, dz/dt = x y - 8/3 z. All three give the next value;
    x alone needs a window or a state. One Lyapunov time is 1 / `LYAPUNOV`, 55 steps.

    Examples
    --------
    >>> lorenz(5000, seed=0).std().round().to_dict()  # a path differs from machine to machine
    {'x': 8.0, 'y': 9.0, 'z': 9.0}

    References
    ----------
    Lorenz, 1963, "Deterministic nonperiodic flow".
    """
    length = positive_integer("length", length)
    settle = 20.0  # units of time, by which every start has come to the attractor
    times = settle + dt * np.arange(length)

    def slope(_: float, state: np.ndarray) -> list[float]:
        x, y, z = state
        return [10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]

    start = np.random.default_rng(seed).normal(size=3) + [0, 0, 25]
    path = solve_ivp(slope, (0, times[-1]), start, "DOP853", times, rtol=1e-9, atol=1e-9)
    return _frame(dict(zip("xyz", path.y, strict=True)), 0.0)


def narma10(length: int = 1000, *, seed: int) -> pd.DataFrame:
    """Make the NARMA task of order 10: the answer y to an input u drawn from U(0, .5).

    y_{t+1} = .3 y_t + .05 y_t (y_t + ... + y_{t-9}) + 1.5 u_{t-9} u_t + .1. Row t holds y_t and
    u_t. A model that sees both needs a window of 10; one that sees u alone needs a state. The
    rare inputs that make y diverge are drawn again.

    Examples
    --------
    >>> narma10(2000, seed=0).mean().round(1).to_dict()
    {'y': 0.4, 'u': 0.2}

    References
    ----------
    Atiya and Parlos, 2000, "New results on recurrent network training".
    """
    length = positive_integer("length", length)
    rng, settle = np.random.default_rng(seed), 200
    while True:
        u = rng.uniform(0, 0.5, settle + length)
        y = np.zeros(settle + length)
        for t in range(9, len(y) - 1):
            y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9 : t + 1].sum() + 1.5 * u[t - 9] * u[t]
            y[t + 1] = min(y[t + 1] + 0.1, 10.0)  # beyond 1 it never comes back
        if y.max() < 1:
            return _frame({"y": y[settle:], "u": u[settle:]}, 0.0)


def linear_plant(length: int = 1000, *, sigma: float = 0.1, seed: int) -> pd.DataFrame:
    """Make y_{t+1} = .9 y_t + .5 u_t + sigma e_t under a random plan u ~ U(-1, 1).

    Row t holds y_t and u_t, the input that acts on the next row. A change of the plan by d at
    one step changes y by .5 d .9^(k-1) k steps later.

    Examples
    --------
    >>> y = linear_plant(50, sigma=0.0, seed=0)
    >>> bool(np.allclose(y["y"][1:], 0.9 * y["y"][:-1].values + 0.5 * y["u"][:-1].values))
    True
    """
    length = positive_integer("length", length)
    rng = np.random.default_rng(seed)
    u, noise = rng.uniform(-1, 1, length), sigma * rng.standard_normal(length)
    y = np.zeros(length)
    for t in range(length - 1):
        y[t + 1] = 0.9 * y[t] + 0.5 * u[t] + noise[t]
    return _frame({"y": y, "u": u}, sigma**2)


def _frame(columns: dict[str, np.ndarray], floor: float) -> pd.DataFrame:
    length = len(next(iter(columns.values())))
    frame = pd.DataFrame(columns, index=pd.RangeIndex(1, length + 1))
    frame.attrs["floor"] = floor
    return frame
