"""What came out of a contest: the table, the verdict, a picture, a page."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from os import PathLike
from typing import TYPE_CHECKING, Any

import pandas as pd

from forecast.data.backends import from_pandas
from forecast.data.panel import Panel
from forecast.data.writing import replace_file
from forecast.evaluation.registry import metric_named
from forecast.forecasters.registry import NAIVE

if TYPE_CHECKING:
    import numpy as np

MARGIN = 0.01  # a skill below one percent is a tie


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What came out of a contest; its representation is the table and the verdict.

    Attributes
    ----------
    ranking, rows : DataFrame
        `table` and `forecasts` as pandas has them, the table indexed by model.
    metric : str
        What ranks the models.
    panel, season_length, unit
        The data, the steps of a season and the unit of the values, if the data tell it.
    models : dict of str to forecaster
        The contestants as they were run, not fitted.
    failures : dict of str to str
        Why a contestant could not forecast; it has no row in the table.
    settings : dict of str to object
        Horizon, origins, steps between them, gap, refit, and the seed of the networks.

    Examples
    --------
    >>> from forecast import compare
    >>> comparison = compare(pd.Series(range(60), name="ramp"), horizon=4, models={})
    >>> comparison.table["mase"].to_dict()
    {'drift': 0.0, 'naive': 2.5}
    >>> comparison.winner, comparison.best_naive, comparison.forecasts.shape
    ('drift', 'drift', (32, 12))
    >>> comparison.verdict
    'Nobody beats the drift forecast by more than 1% here (MASE 0.00; 4 steps ahead, 4 origins).'
    """

    ranking: pd.DataFrame
    rows: pd.DataFrame
    metric: str
    panel: Panel
    season_length: int
    unit: str | None = None
    models: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def table(self) -> Any:
        """One row per model, best first, in a frame of the library of the data.

        The metric that ranks, `skill` (against the best naive forecast, 1 is perfect and 0 no
        better), the other metrics, and `seconds` for fitting and forecasting. pandas has the models
        in the index, another library in the first column.
        """
        return from_pandas(self.ranking, self.panel.layout.backend)

    @property
    def forecasts(self) -> Any:
        """The forecast table of all models, in a frame of the library of the data.

        Its columns: `unique_id, cutoff, ds, step, model, y, y_hat, q0.1` ...
        """
        layout = self.panel.layout
        return from_pandas(self.rows, layout.backend, dates=layout.dates)

    @property
    def winner(self) -> str:
        """The model with the best score."""
        return str(self.ranking.index[0])

    @property
    def best_naive(self) -> str:
        """The best of the naive, seasonal naive and drift forecasts."""
        return str(next(model for model in self.ranking.index if model in NAIVE))

    @property
    def verdict(self) -> str:
        """One sentence: which model wins, by how much, and whether any beats the naive ones."""
        horizon = self.rows["step"].max() - self.rows["step"].min() + 1
        # of a series: where ends differ, so do cutoffs
        origins = self.rows.groupby("unique_id", observed=True)["cutoff"].nunique().max()
        errors, naive = self.ranking[self.metric], self.best_naive
        where = f"{_count(horizon, 'step')} ahead, {_count(origins, 'origin')}"
        record = metric_named(self.metric)
        name, best = record.short, record.best
        than = "below" if best == 0 else f"nearer to {best:g} than"
        beats = self.ranking["skill"].iloc[0] >= MARGIN  # not where naive is perfect: no skill then
        if self.winner in NAIVE or not beats:
            return (
                f"Nobody beats the {naive} forecast by more than {MARGIN:.0%} here "
                f"({name} {errors[naive]:#.3g}; {where})."
            )
        return (
            f"{self.winner} wins with a {name} of {errors.iloc[0]:#.3g}, "
            f"{self.ranking['skill'].iloc[0]:.0%} {than} the best naive forecast "
            f"({naive}, {errors[naive]:#.3g}; {where})."
        )

    def plot(self, *, best: int = 3, series: Any = None) -> np.ndarray:
        """Draw the best forecasts of the last origin and the error of every model.

        Parameters
        ----------
        best : int
            Models whose forecasts are drawn.
        series
            The id of the series to draw; by default the first.

        Returns
        -------
        array of two Axes
        """
        from forecast.evaluation.plots import plot_comparison

        naive = [name for name in NAIVE if name in self.ranking.index]
        return plot_comparison(
            self.rows,
            self.ranking,
            self.panel,
            metric=self.metric,
            naive=naive,
            best=best,
            series=series,
            unit=self.unit,
        )

    def report(
        self, path: str | PathLike[str], *, title: str | None = None, explanation: Any = None
    ) -> None:
        """Write everything to one HTML file that needs no other and no network.

        Parameters
        ----------
        path
            The file.
        title
            Its heading. Default: the names of the data and of the contest.
        explanation
            What `explain` says of a fitted contestant, to be drawn on the page.
        """
        from forecast.evaluation.report import render_report

        ids = self.panel.ids
        what = str(ids[0]) if len(ids) == 1 else f"{len(ids):,} series"
        page = render_report(
            self.ranking,
            self.rows,
            self.panel,
            title=title or f"Forecasting {what}",
            verdict=self.verdict,
            metric=self.metric,
            season_length=self.season_length,
            naive=NAIVE,
            unit=self.unit,
            settings=self._settings(),
            models={name: repr(model) for name, model in self.models.items()},
            failures=self.failures,
            explanation=explanation,
        )
        replace_file(path, page.encode())

    def _settings(self) -> dict[str, str]:
        """Return what a reader needs to hold the contest again."""
        asked = self.settings
        cutoffs = self.rows["cutoff"]
        refit = int(asked["refit"])
        again = {0: "once, then updated", 1: "at every origin"}
        return {
            "steps ahead": str(asked["horizon"]),
            "origins": f"{asked['n_windows']}, {_day(cutoffs.min())} to {_day(cutoffs.max())}",
            "steps between origins": str(asked["step"] or asked["horizon"]),
            "steps left out": str(asked["gap"]),
            "steps in a season": str(self.season_length),
            "frequency": str(self.panel.freq),
            "models are fitted": again.get(refit, f"at one origin in {refit}"),
            "seed": str(asked["random_state"]),
            "made": f"{date.today():%Y-%m-%d}, with "
            + ", ".join(
                f"{name} {version(name)}" for name in ("forecast", "torch", "pandas", "numpy")
            ),
        }

    def __repr__(self) -> str:
        absent = "".join(f"\n{name} has no forecast: {why}" for name, why in self.failures.items())
        return f"{self.ranking.to_string(float_format='{:.3f}'.format)}\n\n{self.verdict}{absent}"

    def _repr_html_(self) -> str:
        absent = [f"{name} has no forecast: {why}" for name, why in self.failures.items()]
        below = "".join(f"<p>{html.escape(text)}</p>" for text in [self.verdict, *absent])
        return f"{self.ranking.to_html(float_format='{:.3f}'.format)}{below}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _day(time: Any) -> str:
    return str(time).removesuffix(" 00:00:00")
