"""Forecasters of symbols in files: written and read as those of values are."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from forecast.data.vocabulary import END, Vocabulary
from forecast.forecasters.encoding import beneath, decode, encode
from forecast.forecasters.loading import MOST_TRIED, horizon_in
from forecast.forecasters.panel_state import panel_from_state, panel_to_state
from forecast.forecasters.saving import named, write
from forecast.forecasters.symbols.framed import FramedSymbols


def save(forecaster: FramedSymbols, path: str | PathLike[str]) -> None:
    """Write a fitted forecaster to one file."""
    check_is_fitted(forecaster)
    panel, learned = forecaster.panel_, forecaster._state()
    history, arrays = (None, {}) if panel is None else panel_to_state(panel)
    about = named(forecaster) | {
        "horizon": forecaster.horizon_,
        "symbols": encode(forecaster.vocabulary_.symbols.tolist(), "a symbol"),
        "panel": history,
    }
    arrays = {f"panel/{name}": array for name, array in arrays.items()}
    arrays |= {f"learned/{name}": np.asarray(part) for name, part in learned.items()}
    write(path, about, arrays | {"ended": forecaster.ended_})


def restore_from(forecaster: Any, about: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Fit an unfitted forecaster with what a file says, and see whether it works.

    Raises
    ------
    Exception
        Of any kind, if the file says what no fit leads to.
    """
    forecaster.vocabulary_ = Vocabulary(decode(about["symbols"]), end=forecaster.end)
    forecaster.ended_, forecaster.panel_ = arrays["ended"], None
    n, longest = len(forecaster.ended_), 0
    if about["panel"] is not None:
        forecaster.panel_ = panel = panel_from_state(about["panel"], beneath(arrays, "panel/"))
        n, longest = panel.n_series, len(panel.grid)
        _check_symbols(panel.values, len(forecaster.vocabulary_))
    if forecaster.ended_.shape != (n,) or forecaster.ended_.dtype != np.bool_ or n == 0:
        raise ValueError("it must be known of each sequence whether it has ended")
    forecaster.horizon_ = horizon_in(about, longest)
    forecaster._restore(beneath(arrays, "learned/"))
    chances = np.exp(forecaster._log_probabilities(forecaster.live_))
    if not np.allclose(chances.sum(-1), 1.0, atol=1e-4):
        raise ValueError("what was learned gives no probabilities")
    steps, values = MOST_TRIED
    forecaster.predict(max(1, min(forecaster.horizon_, steps, values // n)))


def _check_symbols(values: np.ndarray, m: int) -> None:
    """Refuse a history whose values are no numbers of symbols."""
    seen = values[~np.isnan(values)]
    if not ((seen >= END) & (seen < m) & (seen == np.floor(seen))).all():
        raise ValueError("the history holds what are no symbols")
