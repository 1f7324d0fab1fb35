"""Series made of series: flips, slow modulation, mixtures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def mix(rng: np.random.Generator, values: Floats, alike: NDArray[np.int64]) -> Floats:
    """Replace a tenth of the series by convex combinations of two or three of one kind.

    Ansari et al., 2024 (TSMixup): a sum of two processes is a process that no single family of
    the prior makes. Only series with the same code in `alike`, the season, are mixed, and each
    on its own scale.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = mix(rng, rng.standard_normal((50, 30)), np.ones(50, int))
    >>> y.shape
    (50, 30)
    """
    size = len(values)
    order = np.lexsort((rng.random(size), alike))
    turned = np.roll(order, 1)
    partner = np.empty(size, np.int64)
    partner[order] = np.where(alike[order] == alike[turned], turned, order)
    centre = values.mean(1, keepdims=True)
    spread = np.maximum(values.std(1, keepdims=True), 1e-9)
    z = (values - centre) / spread
    share = rng.beta(1.5, 1.5, (size, 1))
    first, second = z[partner], z[partner[partner]]
    three = rng.random((size, 1)) < 0.3
    mixed = share * z + (1 - share) * np.where(three, 0.5 * (first + second), first)
    chosen = rng.random((size, 1)) < 0.1
    return np.where(chosen, centre + spread * mixed, values)


def modulate(rng: np.random.Generator, values: Floats, season: NDArray[np.int64]) -> Floats:
    """Let the amplitude of a few series swell and fade along a slow random curve.

    The curve is linear between a few knots, each at least a season apart.

    Examples
    --------
    >>> modulate(np.random.default_rng(0), np.ones((3, 30)), np.full(3, 4)).shape
    (3, 30)
    """
    size, length = values.shape
    knots = np.exp(rng.normal(0, 0.5, (size, 6)))
    gap = np.maximum(length / 5, season)[:, None]
    place = np.minimum(np.arange(length) / gap, 4.999)
    whole = place.astype(np.int64)
    left = np.take_along_axis(knots, whole, 1)
    right = np.take_along_axis(knots, whole + 1, 1)
    curve = left + (right - left) * (place - whole)
    centre = values.mean(1, keepdims=True)
    chosen = rng.random((size, 1)) < 0.05
    return np.where(chosen, centre + (values - centre) * curve, values)


def flip_time(rng: np.random.Generator, values: Floats) -> Floats:
    """Read a few series backwards: another kind of asymmetry between rise and fall.

    Examples
    --------
    >>> y = flip_time(np.random.default_rng(0), np.tile(np.arange(4.0), (100, 1)))
    >>> bool((y[:, 0] == 3).any()), bool((y[:, 0] == 0).sum() > 80)
    (True, True)
    """
    chosen = rng.random((len(values), 1)) < 0.05
    return np.where(chosen, values[:, ::-1], values)


def flip_sign(rng: np.random.Generator, values: Floats, additive: Mask) -> Floats:
    """Turn series upside down: a quarter of the additive ones, a few of those above zero.

    An additive process is nearly its own mirror image; that it grows more often than it falls is
    worth knowing, so fewer than half are turned. Prices and counts hardly ever fall exponentially
    from a ceiling.

    Examples
    --------
    >>> y = flip_sign(np.random.default_rng(0), np.ones((500, 1)), np.arange(500) < 250)
    >>> bool(0.3 < y[:250].mean() < 0.7), bool(y[250:].mean() > 0.8)
    (True, True)
    """
    share = np.where(additive, 0.25, 0.05)
    chosen = rng.random(len(values)) < share
    return np.where(chosen[:, None], -values, values)


def flip_falling(rng: np.random.Generator, values: Floats, share: Floats) -> Floats:
    """Turn a share (B,) of the series that fall upside down, since most business series grow.

    Six of seven yearly and quarterly series of the M competitions end above their mean, and two
    of three monthly ones.

    Examples
    --------
    >>> falling = np.tile(-np.arange(4.0), (500, 1))
    >>> y = flip_falling(np.random.default_rng(0), falling, np.where(np.arange(500) < 250, 0.6, 0))
    >>> bool(0.5 < (y[:250, -1] > 0).mean() < 0.7), bool((y[250:, -1] > 0).any())
    (True, False)
    """
    chosen = (values[:, -1] < values[:, 0]) & (rng.random(len(values)) < share)
    return np.where(chosen[:, None], -values, values)
