"""Small units of unequal lengths, and settings that train in a moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

BRIEF: dict[str, Any] = {
    "hidden_size": 8,
    "max_epochs": 1,
    "learning_rate": 0.02,
    "random_state": 0,
}


def units(n: int = 12, F: int = 2, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Return sequences of unequal lengths, and whether the sum of the first feature is positive."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(size=(T, F)) for T in rng.integers(3, 9, size=n)]
    y = np.array([one[:, 0].sum() > 0 for one in X], dtype=int)
    y[:2] = 0, 1  # each class is there
    return X, y


def by_step(X: list[np.ndarray]) -> list[np.ndarray]:
    return [(one[:, 0].cumsum() > 0).astype(int) for one in X]


def long_frame(X: list[np.ndarray]) -> pd.DataFrame:
    """Return the units as a long frame whose rows are shuffled."""
    parts = [
        pd.DataFrame(one, columns=["a", "b"]).assign(unique_id=f"u{i:02d}", ds=range(len(one)))
        for i, one in enumerate(X)
    ]
    return pd.concat(parts, ignore_index=True).sample(frac=1, random_state=0)
