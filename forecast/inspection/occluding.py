"""Replace parts of what a forecaster reads by what is usual, in many copies side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from forecast.data.panel import Panel
from forecast.forecasters.occlusion import Occluded


class Group(NamedTuple):
    """A part of what a forecaster reads.

    Attributes
    ----------
    name : str
    kind : "lags", "plan", "X", "past", "calendar" or "static"
        "plan" is a known covariate after the origin, "X" before it, "past" one known before only.
    place
        First and last lag, or the number of a covariate.
    """

    name: str
    kind: str
    place: Any = None


def occluded(
    panel: Panel, groups: Sequence[Group], series: np.ndarray, known: np.ndarray | None
) -> Occluded:
    """Return histories as they are, without each of G groups, and without any of them.

    Parameters
    ----------
    panel
        The history as the model sees it.
    groups
        What to occlude.
    series
        Which series, (r,).
    known
        The future of X, of all series, (n, H, K).

    Returns
    -------
    r (G + 2) of them: those of one series side by side.

    Examples
    --------
    >>> import pandas as pd
    >>> from forecast.data.frames import read_frames
    >>> panel = read_frames(pd.Series([1.0, 2.0, 6.0]))
    >>> occluded(panel, [Group("last", "lags", (1, 1))], np.array([0]), None).panel.values
    array([1., 2., 6., 1., 2., 3., 1., 2., 3.])
    """
    draft = _Draft(panel, series, known, len(groups) + 2)
    for number, group in enumerate(groups, start=1):
        draft.hide(group, number)
    return draft.finished()


class _Draft:
    """Histories that are being occluded."""

    def __init__(
        self, panel: Panel, series: np.ndarray, known: np.ndarray | None, copies: int
    ) -> None:
        self.seen, self.copies = panel, copies
        self.owners = np.repeat(series, copies)
        self.panel = panel.take(self.owners)
        self.values = self.panel.values.astype(np.float64)
        means = np.array([np.nanmean(panel.series(i)) for i in series]).repeat(copies)
        self.means = means.repeat(self.panel.lengths)
        self.X, self.past = self.panel.X, self.panel.past  # `take` has made copies
        self.ahead = None if known is None else known[self.owners]
        self.left_out = {kind: np.zeros(len(self.owners), bool) for kind in ("calendar", "static")}
        self.variant = np.tile(np.arange(copies), len(series))

    def hide(self, group: Group, number: int) -> None:
        """Replace a group by what is usual in the copies of its number, and in the last."""
        rows = np.isin(self.variant, (number, self.copies - 1))
        flat = rows.repeat(self.panel.lengths)
        if group.kind == "lags":
            self._hide_values(flat, *group.place)
        elif group.kind in self.left_out:
            self.left_out[group.kind] |= rows
        else:
            part, at = {"plan": (self.ahead, rows), "X": (self.X, flat), "past": (self.past, flat)}[
                group.kind
            ]
            history = self.seen.past if group.kind == "past" else self.seen.X
            assert part is not None
            assert history is not None
            part[at, ..., group.place] = np.nanmean(history[:, group.place])

    def _hide_values(self, flat: np.ndarray, first: int, last: int) -> None:
        ends = self.panel.offsets[1:].repeat(self.panel.lengths)
        lag = ends - np.arange(len(self.values))
        inside = flat & (first <= lag) & (lag <= last)
        self.values[inside] = self.means[inside]

    def finished(self) -> Occluded:
        """Return the questions."""
        panel = replace(self.panel, values=self.values, X=self.X, past=self.past)
        return Occluded(panel, self.owners, self.ahead, **self.left_out)
