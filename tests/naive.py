"""Slow, obvious twins of clever code: tests say `fast == naive`."""

from __future__ import annotations

import torch
from torch import Tensor


def rolling_scale(values: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return level, spread and count of the last `width` values up to each step, one by one."""
    out = torch.empty(3, *values.shape, dtype=values.dtype)
    for row in range(values.shape[0]):
        for t in range(values.shape[1]):
            window = values[row, max(t - width + 1, 0) : t + 1]
            seen = window[~window.isnan()]
            level = seen.mean() if len(seen) else torch.tensor(0.0)
            spread = seen.std(correction=0) if len(seen) else torch.tensor(0.0)
            if spread <= 64 * torch.finfo(values.dtype).eps * level.abs():
                spread = level.abs() if level else torch.tensor(1.0)
            out[:, row, t] = torch.stack([level, spread, torch.tensor(float(len(seen)))])
    return out[0], out[1], out[2]
