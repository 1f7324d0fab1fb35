"""Small forecasters and tables that several tests of evaluation share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from forecast.data.frames import append, read_frames, restore, restore_columns
from forecast.evaluation.table import read_options


class Last(BaseEstimator):
    """Repeat the last value, plus a shift; remembers what it was shown."""

    def __init__(self, shift: float = 0.0, freq: Any = None, id_col: str = "unique_id") -> None:
        self.shift = shift
        self.freq = freq
        self.id_col = id_col

    def fit(self, y: Any, X: Any = None) -> Last:
        self.panel_ = read_frames(y, X, **read_options(self))
        self.season_length_ = 1
        self.calls_ = [("fit", self.panel_)]
        return self

    def _last(self, horizon: int) -> np.ndarray:
        shift = self.shift if isinstance(self.shift, float) else 0.0
        last = self.panel_.values[self.panel_.offsets[1:] - 1] + shift
        return np.repeat(last[:, None], horizon, axis=1)

    def predict(self, horizon: int, X: Any = None) -> Any:
        return restore(self.panel_, self._last(horizon))

    def predict_quantiles(self, horizon: int, X: Any = None, *, levels: Any) -> Any:
        values = self._last(horizon)[:, :, None] + 10 * (np.asarray(levels) - 0.5)
        long = self.panel_.layout.kind in ("long", "multi")
        return restore_columns(
            self.panel_, values, [f"q{level:g}" for level in levels] if long else levels
        )

    def sample(
        self, horizon: int, X: Any = None, *, n_samples: int, random_state: Any = None
    ) -> Any:
        noise = np.random.default_rng(random_state).normal(size=(horizon, n_samples))
        long = self.panel_.layout.kind in ("long", "multi")
        names = [f"path{path}" for path in range(n_samples)] if long else range(n_samples)
        return restore_columns(self.panel_, self._last(horizon)[:, :, None] + noise, names)


class Updating(Last):
    """Absorb new values without a new fit."""

    def update(self, y: Any, X: Any = None) -> Updating:
        new = read_frames(y, X, **read_options(self) | {"freq": self.panel_.freq})
        self.panel_ = append(self.panel_, new)
        self.calls_ = [*self.calls_, ("update", new)]
        return self


def table(
    n_series: int = 3, horizon: int = 4, models: tuple[str, ...] = ("a", "b")
) -> pd.DataFrame:
    """Return a forecast table of one window with random values, quantiles and paths."""
    rng = np.random.default_rng(5)
    keys = pd.MultiIndex.from_product(
        [models, [f"s{i}" for i in range(n_series)], range(1, horizon + 1)],
        names=["model", "unique_id", "step"],
    )
    frame = keys.to_frame(index=False).assign(cutoff=20)
    frame["ds"] = frame["cutoff"] + frame["step"]
    actual = rng.normal(5, 3, (n_series, horizon)).ravel()
    frame["y"] = np.tile(actual, len(models))
    frame["y_hat"] = frame["y"] + rng.normal(size=len(frame))
    for level, shift in ((0.1, -1.3), (0.5, 0.0), (0.9, 1.3)):
        frame[f"q{level}"] = frame["y_hat"] + shift
    for path in range(5):
        frame[f"path{path}"] = frame["y_hat"] + rng.normal(size=len(frame))
    return frame


def history(n_series: int = 3, length: int = 20) -> pd.DataFrame:
    """Return the wide frame before the cutoff of `table`, times 1 .. length."""
    rng = np.random.default_rng(6)
    names = [f"s{i}" for i in range(n_series)]
    return pd.DataFrame(
        rng.normal(5, 3, (length, n_series)), index=range(1, length + 1), columns=names
    )
