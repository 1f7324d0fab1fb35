"""What stands between the tables of users and the numbers of symbols that authors see."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import islice
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from forecast._checks import short
from forecast.data.frames import append, read_frames, read_update
from forecast.data.panel import Panel, last_steps
from forecast.data.symbols import as_numbers, coded, is_bare
from forecast.data.vocabulary import END
from forecast.forecasters import arguments
from forecast.forecasters.symbols.decoding import Choose, rollout, sampled
from forecast.forecasters.symbols.model import SymbolModel
from forecast.forecasters.symbols.parameters import SymbolParameters


class FramedSymbols(SymbolParameters, SymbolModel):
    """Read and check what users give, and write symbols on."""

    panel_: Panel | None
    horizon_: int

    def _named_columns(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("id_col", "time_col", "target_col")}

    def _steps(self, horizon: Any, X: Any) -> int:
        check_is_fitted(self)
        without_covariates(X)
        return arguments.steps_ahead(horizon, self.horizon_)

    def _numbered(self, y: Any) -> list[np.ndarray]:
        """Return the numbers of sequences without times."""
        flat = self.vocabulary_.encode([symbol for sequence in y for symbol in sequence])
        sequences = np.split(flat, np.cumsum([len(sequence) for sequence in y])[:-1])
        return [_up_to_end(one, i, self.end) for i, one in enumerate(sequences)]

    def _histories(self, y: Any, freq: Any) -> list[np.ndarray]:
        """Take up a history as `panel_`; return its sequences."""
        if is_bare(y):
            self.panel_ = None
            return self._numbered(y)
        names = self._named_columns()
        self.panel_ = panel = read_frames(coded(y, self.vocabulary_, **names), freq=freq, **names)
        series = (as_numbers(panel.series(i)) for i in range(panel.n_series))
        return [_up_to_end(one, i, self.end) for i, one in zip(panel.ids, series, strict=True)]

    def _arrived(self, y: Any) -> tuple[Panel | None, list[np.ndarray]]:
        """Return the longer history, and what is new of each sequence."""
        if is_bare(y) is not (self.panel_ is None):
            kind = "a list of sequences" if self.panel_ is None else "a table with times"
            raise TypeError(f"`y` must be {kind}, as in `fit`, got {short(y)}.")
        if self.panel_ is None:
            panel, new = None, self._numbered(y)
        else:
            names = self._named_columns()
            later = read_update(self.panel_, coded(y, self.vocabulary_, **names), **names)
            panel = append(self.panel_, later)
            added = panel.lengths - self.panel_.lengths
            steps = as_numbers(last_steps(panel, added))
            new = [row[:count] for row, count in zip(steps, added, strict=True)]
        if len(new) != len(self.ended_):
            raise ValueError(
                f"`y` must hold the {len(self.ended_)} sequences of the history, got {len(new)}."
            )
        self._check_ended(new)
        return panel, [_up_to_end(one, i, self.end) for i, one in enumerate(new)]

    def _check_ended(self, new: list[np.ndarray]) -> None:
        for i in np.flatnonzero(self.ended_):
            if (new[i] >= 0).any():
                name = i if self.panel_ is None else self.panel_.ids[int(i)]
                raise ValueError(
                    f"nothing may follow the end {self.end!r}: sequence {short(name)} has ended, "
                    "and new symbols of it were given. Use `apply` for new sequences."
                )

    def _after(self, new: list[np.ndarray], live: Any, ended: Any) -> tuple[Any, np.ndarray]:
        """Return what sequences leave behind that go on by new symbols, and which have ended."""
        ends = np.array([len(one) > 0 and one[-1] == END for one in new])
        return self._read(new, live)[1], ends | ended

    def _begin_with(self, sequences: list[np.ndarray]) -> None:
        """Take up sequences as the history, from their start on."""
        self.live_, self.ended_ = self._after(sequences, self._begin(len(sequences)), False)

    def _rollout(self, count: int, choose: Choose) -> Any:
        return rollout(
            self._tile(self.live_, count),
            self.ended_.repeat(count),
            choose,
            self._advance,
            self._log_probabilities,
        )

    def _chances(
        self, steps: int, count: int, random_state: int | np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the probabilities (n, H, C) of the C possible symbols, and their numbers (C,)."""
        count = count if steps > 1 else 1
        draws = self._rollout(count, sampled(np.random.default_rng(random_state)))
        means = [
            np.where(chosen[:, None] < 0, 0.0, np.exp(rows)).reshape(-1, count, len(rows.T)).mean(1)
            for chosen, rows in islice(draws, steps)
        ]
        possible = np.flatnonzero(self._possible())
        return np.stack(means, 1)[..., possible], possible

    def _written(self, steps: int, count: int, choose: Choose) -> np.ndarray:
        """Return the numbers of so many futures of each sequence, (n, S, H)."""
        chosen = [symbols for symbols, _ in islice(self._rollout(count, choose), steps)]
        return np.stack(chosen, -1).reshape(-1, count, steps)

    def _cut(self, numbers: np.ndarray) -> list[Any]:
        symbols: list[Any] = self.vocabulary_.decode(numbers[numbers >= 0]).tolist()
        return symbols


def without_covariates(X: Any) -> None:
    """Refuse covariates, which come second in the methods of all forecasters."""
    if X is not None:
        raise TypeError(f"`X` must be None: symbols have no covariates, got {short(X)}.")


def _up_to_end(numbers: np.ndarray, name: Any, end: Hashable) -> np.ndarray:
    """Return a sequence up to its end, if it has one.

    Raises
    ------
    ValueError
        If something follows the end.
    """
    ends = np.flatnonzero(numbers == END)
    if len(ends) and (numbers[ends[0] + 1 :] >= 0).any():
        raise ValueError(
            f"nothing may follow the end {end!r}: sequence {short(name)} goes on after it. Cut it "
            "into sequences, or leave `end` out."
        )
    return numbers[: ends[0] + 1] if len(ends) else numbers
