"""Mixtures of Gaussian-process kernels, drawn through their spectra.

Ansari et al., 2024 ("Chronos", KernelSynth), compose kernels by sums and products. A process of
N values costs N^3 through its covariance; through random frequencies of its spectral density it
costs N for each (Rahimi and Recht, 2007), so that long series are as cheap as short ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
WAVES = 12  # random frequencies of one smooth component


def draw_kernels(
    rng: np.random.Generator,
    innovations: Floats,
    season: Numbers,
    profile: Floats,
) -> Floats:
    """Draw series (B, N) as sums and products of smooth, periodic and linear components.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = draw_kernels(rng, rng.standard_normal((4, 100)), np.full(4, 12), np.zeros((4, 12)))
    >>> y.shape, bool(np.isfinite(y).all())
    ((4, 100), True)
    """
    size, length = innovations.shape
    steps = np.arange(length)
    slow = _smooth(rng, size, length, 0.3, 2.0)
    fast = _smooth(rng, size, length, 0.02, 0.3)
    wave = np.take_along_axis(profile, steps % season[:, None], 1)
    other = np.sin(2 * np.pi * steps / _free_period(rng, size, length) + 7 * rng.random((size, 1)))
    line = (steps / length - 0.5) * rng.normal(0, 2, (size, 1))

    def weight(share: float, spread: float = 0.6) -> Floats:
        size_of = np.exp(rng.normal(0, spread, (size, 1)))
        return np.where(rng.random((size, 1)) < share, size_of, 0.0)

    periodic = weight(0.75) * wave
    # a product of kernels is the product of independent components: a season that swells
    swelling = np.where(rng.random((size, 1)) < 0.3, 1 + 0.5 * slow, 1.0)
    total = periodic * swelling + weight(0.7) * slow + weight(0.35, 0.4) * fast
    total += weight(0.2) * other + weight(0.3) * line
    noise = np.exp(rng.normal(-1.3, 1, (size, 1)))
    return (total + noise * innovations) / np.maximum(noise, 0.1)


def _free_period(rng: np.random.Generator, size: int, length: int) -> Floats:
    """Draw periods (B, 1) that nobody is told, so that a told season is not the only one."""
    return np.exp(rng.uniform(np.log(3), np.log(max(length, 6)), (size, 1)))


def _smooth(rng: np.random.Generator, size: int, length: int, low: float, high: float) -> Floats:
    """Draw stationary components (B, N) whose length scale is `low` to `high` of the length.

    Normal frequencies belong to the squared-exponential kernel, Student's t ones to the rougher
    Matern kernels, and a gamma-mixed scale to the rational quadratic one.
    """
    scale = length * np.exp(rng.uniform(np.log(low), np.log(high), (size, 1)))
    frequency = rng.standard_normal((size, WAVES))
    rough = rng.random((size, 1)) < 0.4
    frequency = np.where(rough, rng.standard_t(3, (size, WAVES)), frequency) / scale
    phase = rng.uniform(0, 2 * np.pi, (size, WAVES))
    turn = np.exp(1j * frequency)
    wave = np.exp(1j * phase)
    # powers by doubling: one complex product for each value instead of a cosine
    path = wave[:, :, None]
    while path.shape[2] < length:
        shift = turn ** path.shape[2]
        path = np.concatenate([path, path * shift[:, :, None]], 2)
    return path[:, :, :length].real.sum(1) * np.sqrt(2 / WAVES)
