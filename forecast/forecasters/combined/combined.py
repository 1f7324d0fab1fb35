"""One's own forecasters, averaged."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from forecast._checks import ForecastWarning, one_of, short
from forecast.data.panel import Panel
from forecast.forecasters.base import BaseForecaster
from forecast.forecasters.classical.theta import ThetaForecaster
from forecast.forecasters.combined.blending import WAYS
from forecast.forecasters.combined.combination import Combination
from forecast.forecasters.neural.pretrained import PretrainedForecaster
from forecast.forecasters.parameters import Common


class CombinedForecaster(Combination):
    """Average the quantile functions of several forecasters.

    Errors of different models partly cancel out, so the mean is mostly better than the model that
    some past errors would choose. Each member is fitted to the whole history. A path is drawn by
    one member, and read at its levels in the joint distribution.

    Members that read no `X`, such as Theta, forecast without it; `fit` warns that their share lacks
    its effect.

    `update` lets every member absorb the new values; `apply` fits those anew that learn each series
    on its own.

    Parameters
    ----------
    forecasters
        Forecasters of this package, not fitted. What they do not say themselves of horizon and
        season is as here. None: the pre-trained network and Theta.
    weights
        A number for each, none negative; only their ratios count. None: all alike.
    combine
        "mean" of the quantile functions, or "median", which one bad member does not move.

    Attributes
    ----------
    members_ : dict
        The fitted members, by their names.
    weights_ : DataFrame
        A row for each series, a column for each member.

    Examples
    --------
    >>> import pandas as pd
    >>> from forecast import NaiveForecaster
    >>> y = pd.Series([1.0, 4.0, 2.5, 5.0])
    >>> both = [NaiveForecaster("last"), NaiveForecaster("seasonal", season_length=2)]
    >>> CombinedForecaster(both, weights=[1, 3]).fit(y).predict(2).tolist()
    [3.125, 5.0]
    """

    def __init__(
        self,
        forecasters: Sequence[BaseForecaster] | None = None,
        *,
        weights: Sequence[float] | None = None,
        combine: str = "mean",
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.forecasters = forecasters
        self.weights = weights
        self.combine = combine

    def _fit(self, panel: Panel) -> None:
        one_of("combine", self.combine, WAYS)
        models = _checked(self.forecasters)
        self.common_ = _shares(self.weights, len(models))
        self.shares_ = np.tile(self.common_, (panel.n_series, 1))
        self.members_ = {
            name: self._fitted(model, panel)
            for name, model in zip(_names(models), models, strict=True)
        }
        self.width_ = None
        if panel.X is not None:
            self._warn_of_the_blind()

    def _warn_of_the_blind(self) -> None:
        """Warn of members whose share of the forecast knows nothing of X, beside others that do."""
        shares = dict(zip(self.members_, self.common_, strict=True))
        blind = [name for name, one in self.members_.items() if not one.reads_covariates]
        without = sum(shares[name] for name in blind)
        if without and len(blind) < len(shares):
            warnings.warn(
                f"no covariates are read by {', '.join(blind)}: what X adds is forecast to "
                f"{1 - without:.0%} only. Combine forecasters that read X, or take "
                "AutoForecaster, which weighs members by their past errors.",
                ForecastWarning,
                stacklevel=5,
            )


def _checked(models: Sequence[BaseForecaster] | None) -> list[BaseForecaster]:
    if models is None:
        return [PretrainedForecaster(), ThetaForecaster()]
    listed: list[Any] = list(models) if isinstance(models, list | tuple) else [models]
    for one in listed:
        if not isinstance(one, BaseForecaster):
            raise TypeError(
                "`forecasters` must be a list of forecasters of this package, such as "
                f"[ThetaForecaster(), ETSForecaster()], got {short(one)} in it."
            )
    if not listed:
        raise ValueError("`forecasters` must hold at least one forecaster, got [].")
    return listed


def _shares(weights: Sequence[float] | None, n_members: int) -> np.ndarray:
    """Return weights that add up to 1."""
    given = np.ones(n_members) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != (n_members,) or not (np.isfinite(given).all() and (given >= 0).all()):
        raise ValueError(
            f"`weights` must be {n_members} numbers that are not negative, one for each "
            f"forecaster, got {short(weights)}."
        )
    if given.sum() == 0:
        raise ValueError(f"`weights` must not all be zero, got {short(weights)}.")
    shares: np.ndarray = given / given.sum()
    return shares


def _names(models: Sequence[BaseForecaster]) -> list[str]:
    """Name members after their classes; of several of a class the second has a 2.

    Examples
    --------
    >>> _names([ThetaForecaster(), PretrainedForecaster(), ThetaForecaster()])
    ['Theta', 'Pretrained', 'Theta 2']
    """
    found: list[str] = []
    for model in models:
        name = type(model).__name__.removesuffix("Forecaster")
        again = sum(one.partition(" ")[0] == name for one in found)
        found.append(f"{name} {again + 1}" if again else name)
    return found
