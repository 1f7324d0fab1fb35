"""The values that a series can take: where zero is reached it is a bound, and counts are whole."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from torch import Tensor

REACHED = 0.01  # share of zeros from which zero is a bound, and not merely a value
COUNTED = 0.1  # share of zeros from which the steps between whole numbers matter


class Support(NamedTuple):
    """What a panel's values tell of the values to come.

    A falling line may pass zero one day, so zero is taken for a bound only where it is reached and
    never passed. Quantiles of counts are whole numbers: that of `round(Y)` is the rounded one of Y.

    Examples
    --------
    >>> import torch
    >>> support = Support.of(np.array([0.0, 3.0, 0.0, 1.0]))
    >>> support
    Support(bounded=True, counts=True)
    >>> (
    ...     support.clip(torch.tensor([-0.5, 1.5])).tolist(),
    ...     support.round(np.array([0.2, 1.7])).tolist(),
    ... )
    ([0.0, 1.5], [0.0, 2.0])
    """

    bounded: bool = False
    counts: bool = False

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Return the support that values (N,) suggest; NaN is unobserved."""
        n_seen = int(np.count_nonzero(~np.isnan(values)))
        zeros = np.count_nonzero(values == 0) / max(n_seen, 1)
        bounded = zeros >= REACHED and not (values < 0).any()
        counts = bounded and zeros >= COUNTED
        # a last question, because rounding copies the panel
        return cls(bool(bounded), bool(counts and (values == np.round(values)).sum() == n_seen))

    @classmethod
    def of_counts(cls, values: np.ndarray) -> Self:
        """Return the support of counts; values (N,) that are none are a ValueError."""
        wrong = values[(values < 0) | (values != np.round(values)) & ~np.isnan(values)]
        if len(wrong):
            raise ValueError(
                f"A head of counts needs whole numbers from zero on, got {wrong[0]:g} among the "
                "values to learn from. Use another `head`, and no `target_transform` with this one."
            )
        return cls(bounded=True, counts=True)

    def clip(self, values: Tensor) -> Tensor:
        """Clip values at zero if it is a bound."""
        return values.clamp(min=0) if self.bounded else values

    def round(self, values: np.ndarray) -> np.ndarray:
        """Round values to whole numbers if they are counts."""
        return np.round(values) if self.counts else values
