"""Slow, obvious twins of clever code: tests say `fast == naive`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def rolling_scale(values: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return level, spread and count of the last `width` values up to each step, one by one."""
    out = torch.empty(3, *values.shape, dtype=values.dtype)
    for row in range(values.shape[0]):
        for t in range(values.shape[1]):
            window = values[row, max(t - width + 1, 0) : t + 1]
            seen = window[~window.isnan()]
            before = values[row, : t + 1][~values[row, : t + 1].isnan()]
            last = before[-1] if len(before) else torch.tensor(0.0, dtype=values.dtype)
            level = seen.mean() if len(seen) else last
            spread = seen.std(correction=0) if len(seen) else torch.tensor(0.0)
            if spread <= 64 * torch.finfo(values.dtype).eps * level.abs():
                spread = level.abs() if level else torch.tensor(1.0)
            out[:, row, t] = torch.stack([level, spread, torch.tensor(float(len(seen)))])
    return out[0], out[1], out[2]


def interpolate(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Read the piecewise linear function through (x, y) at each point, one by one."""
    out = np.interp(at, x, y)
    for k, point in enumerate(at):
        if point < x[0]:
            out[k] = y[0] + (point - x[0]) * (y[1] - y[0]) / (x[1] - x[0])
        if point > x[-1]:
            out[k] = y[-1] + (point - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2])
    return out


def take(
    values: np.ndarray, offsets: np.ndarray, i: int, first: int, width: int, end: int
) -> np.ndarray:
    """Return values first ... first + width - 1 of series i, NaN outside 0 ... end - 1."""
    series = values[offsets[i] : offsets[i + 1]]
    return np.array([series[t] if 0 <= t < end else np.nan for t in range(first, first + width)])


def projection(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return S G with G = (S' W^-1 S)^-1 S' W^-1, as the books have it."""
    S = np.vstack([sums, np.eye(sums.shape[1])])
    inverse = np.linalg.inv(weights)
    return S @ np.linalg.inv(S.T @ inverse @ S) @ S.T @ inverse


def shrinkage(errors: np.ndarray) -> float:
    """Return the share of the diagonal, pair by pair of nodes."""
    T, N = errors.shape
    doubt = size = 0.0
    for i in range(N):
        for j in range(N):
            if i != j:
                products = errors[:, i] * errors[:, j]
                size += products.mean() ** 2
                doubt += np.var(products) / (T - 1)
    return float(np.clip(doubt / size, 1e-6, 1))
