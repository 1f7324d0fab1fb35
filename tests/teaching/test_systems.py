"""Dynamical systems obey their equations, and small errors grow as they should."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.teaching import systems


def test_mackey_glass_obeys_its_equation() -> None:
    x = systems.mackey_glass(3000).to_numpy()
    slope = (8 * (x[3:-1] - x[1:-3]) - (x[4:] - x[:-4])) / 12  # central differences, fourth order
    now, late = x[2:-2], x[:-19]
    expected = 0.2 * late / (1 + late**10) - 0.1 * now[15:]
    assert np.abs(slope[15:] - expected).max() < 0.01
    assert np.std(expected) > 0.03


def test_mackey_glass_is_chaotic_from_a_delay_of_seventeen() -> None:
    assert np.std(systems.mackey_glass(500, tau=4, settle=3000)) < 1e-6  # a fixed point
    y = systems.mackey_glass(3000)
    assert 0.2 < y.min() < 0.5 < 1.2 < y.max() < 1.4
    assert len(np.unique(y.round(6))) > 2900  # never the same
    with pytest.raises(ValueError, match="`tau` must be a number in"):
        systems.mackey_glass(9, tau=0)


def test_lorenz_obeys_its_equation() -> None:
    y = systems.lorenz(5000, dt=0.002, seed=0)
    x, y_, z = y.to_numpy().T
    expected = np.stack([10 * (y_ - x), x * (28 - z) - y_, x * y_ - 8 / 3 * z])
    slope = np.gradient(y.to_numpy(), 0.002, axis=0).T
    assert np.abs(slope - expected)[:, 1:-1].max() < 0.5
    assert np.abs(expected).max() > 100


def test_lorenz_errors_grow_by_its_lyapunov_exponent() -> None:
    rates = []
    for seed in range(2):
        y = systems.lorenz(4000, seed=seed).to_numpy()
        for t in range(50, 1500, 50):
            # the closest state of another time, followed for 2 units of time
            far = np.linalg.norm(y[1600:-100] - y[t], axis=1)
            twin = 1600 + int(far.argmin())
            gap = np.linalg.norm(y[t : t + 101] - y[twin : twin + 101], axis=1)
            rates.append(np.log(gap[100] / gap[0]) / 2)
    assert np.mean(rates) == pytest.approx(systems.LYAPUNOV, rel=0.25)


def narma_next(frame: object, memory: int) -> np.ndarray:
    """Return y_{t+1} from a window of so many rows of y and u, by the equation."""
    y, u = frame["y"].to_numpy(), frame["u"].to_numpy()
    return np.array(
        [
            0.3 * y[t] + 0.05 * y[t] * y[t - memory + 1 : t + 1].sum()
            + 1.5 * u[t - memory + 1] * u[t] + 0.1
            for t in range(memory - 1, len(y) - 1)
        ]
    )  # fmt: skip


def test_narma_is_known_from_ten_rows() -> None:
    for seed in range(20):  # some draws diverge at first
        frame = systems.narma10(300, seed=seed)
        assert np.allclose(narma_next(frame, 10), frame["y"][10:], atol=1e-12)
        assert frame["y"].max() < 1
    assert not np.allclose(narma_next(frame, 9), frame["y"][9:], atol=0.01)


def test_linear_plant_meets_its_floor() -> None:
    frame = systems.linear_plant(50_000, seed=0)
    y, u = frame["y"].to_numpy(), frame["u"].to_numpy()
    error = y[1:] - 0.9 * y[:-1] - 0.5 * u[:-1]
    assert np.mean(error**2) == pytest.approx(frame.attrs["floor"], rel=0.03)
