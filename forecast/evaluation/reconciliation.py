"""Make the forecasts of series that add up add up themselves.

With nodes ordered sums first, y = S b holds the b parts and all their sums. Base forecasts of all
nodes, made one by one, do not add up; among all that do, reconciliation takes the nearest,

    b~ = G y^,   G = J - J W C' (C W C')^-1 C,   C = [I, -A],   y~ = S b~,

where A makes the sums of the parts, C y^ is by how much y^ fails to add up, J picks the parts, and
W says how far each forecast may be moved. It is (S' W^-1 S)^-1 S' W^-1 without the inverse of W,
and needs a matrix of the size of the sums only. W is the identity ("ols"), the variances of past
errors ("wls"), or their whole covariance ("mint": the least sum of error variances, Wickramasuriya,
Athanasopoulos and Hyndman, "Optimal forecast reconciliation for hierarchical and grouped time
series through trace minimization", 2019), shrunk to its diagonal as in Schaefer and Strimmer, "A
shrinkage approach to large-scale covariance matrix estimation", 2005. "bottom_up" is G = J.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from forecast._checks import ForecastWarning, one_of, short
from forecast.data.backends import like, pandas_table
from forecast.data.hierarchy import Hierarchy
from forecast.evaluation.projection import Covariance, Projection, mean_squares
from forecast.evaluation.table import Array, check_columns, pandas_rows

METHODS = ("bottom_up", "ols", "wls", "mint")
_KEYS = ("unique_id", "cutoff", "ds", "step", "model")
_LEVEL, _PATH = re.compile(r"q?(0?\.\d+)"), re.compile(r"(?:path)?(\d+)")


def reconcile(
    forecasts: Any,
    hierarchy: Hierarchy,
    method: str = "mint",
    *,
    errors: Any = None,
) -> Any:
    """Return forecasts that add up, the nearest to those given.

    Points and paths add up to the last digit. Quantiles of a sum are no sums of quantiles: here
    those of a node lie around its reconciled median, and their distances to it change as the spread
    of its errors did: past errors e become S G e. Paths of different nodes are first joined as past
    errors went together: the ranks of their means get the correlations of these (Iman and Conover,
    "A distribution-free approach to inducing rank correlation", 1982). Where no forecast of a part
    is below zero none becomes so.

    Parameters
    ----------
    forecasts
        Of all nodes: a forecast table, a long frame (`unique_id, ds`) or a wide one, as `predict`,
        `predict_quantiles` and `sample` return it.
    hierarchy
        What adds up to what.
    method
        "bottom_up": the sums of the parts. "ols": all forecasts are moved alike. "wls": in
        proportion to their error variance; without `errors`, to the number of their parts. "mint":
        by the covariance of the errors.
    errors
        A forecast table of past origins, from `backtest`, of all nodes. "mint", quantiles and the
        joining of paths need it. At a cutoff only what was known by then is used.
        Where actual values do not add up on average, a `ForecastWarning` says so.

    Returns
    -------
    The same kind of frame. In a table the models are named "ETSForecaster, mint".

    Raises
    ------
    ValueError
        If a node has no forecast, or errors are needed and missing.

    Examples
    --------
    >>> sales = pd.DataFrame({"store": ["A", "B"], "ds": 0, "y": [1.0, 2.0]})
    >>> hierarchy = Hierarchy.of(sales, ["store"])
    >>> forecasts = pd.DataFrame({"total": [6.0], "A": [1.0], "B": [2.0]})
    >>> reconcile(forecasts, hierarchy, "ols")
       total    A    B
    0    5.0  2.0  3.0
    """
    one_of("method", method, METHODS)
    block = _read(_pandas(forecasts, hierarchy), hierarchy)
    known = None if errors is None else pandas_rows(errors)
    if known is not None:
        check_columns(known, ["unique_id", "cutoff", "ds", "y", "y_hat"])
        _warn_of_sums(known, hierarchy)
    values = np.empty_like(block.values)
    for model, cutoff, rows in block.origins:
        past = None if known is None else _past(known, hierarchy, model, cutoff)
        maker = _Maker(hierarchy, _weights(method, hierarchy, past), past, block.labels)
        values[rows] = maker.reconciled(block.values[rows])
    return like(block.restore(values, method), forecasts)


class _Block(NamedTuple):
    """Forecasts as an array, and the way back.

    Attributes
    ----------
    values : array (R, N, V)
        A row per moment, then nodes and columns.
    labels : list
        The V names: of points, quantiles and paths.
    origins : list of (model, cutoff, rows)
        Which rows were forecast together.
    restore : callable
        Takes reconciled values and the method.
    """

    values: Array
    labels: list[Any]
    origins: list[tuple[Any, Any, Any]]
    restore: Callable[[Array, str], pd.DataFrame]


class _Maker:
    """Reconcile what was forecast together."""

    def __init__(
        self,
        hierarchy: Hierarchy,
        weights: Covariance,
        past: Array | None,
        labels: list[Any],
    ) -> None:
        self.projection, self.past = Projection(hierarchy.sums, weights), past
        self.n_sums = hierarchy.n_sums
        texts = [str(label) for label in labels]
        levels = {k: float(m[1]) for k, text in enumerate(texts) if (m := _LEVEL.fullmatch(text))}
        self.paths = [k for k, text in enumerate(texts) if _PATH.fullmatch(text)]
        self.quantiles = list(levels)
        self.center = next((k for k, level in levels.items() if level == 0.5), None)
        if self.center is None and "y_hat" in texts:
            self.center = texts.index("y_hat")
        self.linear = [k for k in range(len(texts)) if k not in levels or k == self.center]
        if levels and (past is None or self.center is None):
            lacking = "`errors`" if past is None else "the median, 0.5, among the levels"
            raise ValueError(
                f"quantiles need {lacking}: those of a sum are no sums of quantiles. "
                "Give errors=backtest(model, y, horizon, n_windows=...), and ask "
                "predict_quantiles for 0.5 too."
            )

    def reconciled(self, values: Array) -> Array:
        """Return values (R, N, V) that add up."""
        found = np.empty_like(values)
        if self.paths and self.past is not None:
            values = values.copy()
            values[..., self.paths] = _joined(values[..., self.paths], self.past)
        found[..., self.linear] = self._moved(values[..., self.linear])
        if self.past is not None and self.center is not None:
            center = [self.center]
            away = values[..., self.quantiles] - values[..., center]
            wanted = found[..., center] + away * self.projection.spreads(self.past)[:, None]
            least = self._least(values[..., self.quantiles])
            found[..., self.quantiles] = np.maximum(wanted, least)
        return found

    def _moved(self, values: Array) -> Array:
        """Return what is linear, (R, N, V), made to add up."""
        R, N, V = values.shape
        parts = self.projection.parts(values.transpose(1, 0, 2).reshape(N, R * V))
        held = np.maximum(parts.reshape(-1, R, V), self._least(values)).reshape(-1, R * V)
        return self.projection.whole(held).reshape(N, R, V).transpose(1, 0, 2)

    def _least(self, values: Array) -> Array:
        """Return zero for the columns (V,) in which no part is below it."""
        parts = values[:, self.n_sums :]
        least: Array = np.where((parts >= 0).all((0, 1)), 0.0, -np.inf)
        return least


def _weights(method: str, hierarchy: Hierarchy, past: Array | None) -> Covariance:
    """Return how far each node may be moved."""
    n, b = hierarchy.sums.shape
    if method == "bottom_up":  # the parts stay where they are
        return Covariance.of(np.repeat([1.0, 0.0], [n, b]))
    if method == "ols":
        return Covariance.of(np.ones(n + b))
    if past is not None:
        return Covariance.shrunken(past) if method == "mint" else Covariance.of(mean_squares(past))
    if method == "mint":
        raise ValueError(
            "`errors` must be given for method='mint', which weighs forecasts by the covariance of "
            "their errors. Give errors=backtest(model, y, horizon, n_windows=...), or take 'wls'."
        )
    return Covariance.of(np.r_[hierarchy.sums.sum(1), np.ones(b)])


def _past(errors: pd.DataFrame, hierarchy: Hierarchy, model: Any, cutoff: Any) -> Array:
    """Return the errors that were known at a cutoff, (T, N)."""
    rows = errors if cutoff is None else errors[errors["ds"] <= cutoff]
    if "model" in errors:
        models = errors["model"].unique().tolist() if model is None else [model]
        if len(models) > 1:
            raise ValueError(
                "`errors` must be of the model of the forecasts, which do not name theirs, got "
                f"those of {short(models)}. Keep the rows of one."
            )
        rows = rows[rows["model"].isin(models)]
    missed = (rows["y"] - rows["y_hat"]).to_numpy()
    wide = rows.assign(missed=missed).pivot_table(
        "missed", ["cutoff", "ds"], "unique_id", observed=True
    )
    wide = wide.reindex(columns=hierarchy.nodes).dropna()
    if len(wide) < 2:
        when = "" if cutoff is None else f" up to {cutoff}"
        of = "" if model is None else f" of {short(model)}"
        raise ValueError(
            f"`errors` must hold at least 2 past errors of every node{of}{when}, got {len(wide)}. "
            "Make them with backtest on the series of all nodes, from more and earlier origins."
        )
    return wide.to_numpy(np.float64)


def _warn_of_sums(errors: pd.DataFrame, hierarchy: Hierarchy) -> None:
    """Warn where actual values of a node lie a hundredth, on average, beside those of its parts."""
    wide = errors.pivot_table("y", "ds", "unique_id", observed=True).reindex(
        columns=hierarchy.nodes
    )
    y = wide.dropna().to_numpy(np.float64)
    totals, parts = np.split(y, [hierarchy.n_sums], axis=1)
    # rounded values lie on both sides; a total of parts that cancel out is as exact as these
    beside = np.abs((totals - parts @ hierarchy.sums.T).sum(0))
    odd = np.flatnonzero(beside > (np.abs(parts) @ hierarchy.sums.T).sum(0) / 100)
    if len(odd):
        node = short(hierarchy.nodes[odd[0]])
        warnings.warn(
            f"actual values of {node} in `errors` are not the sums of their parts, by "
            f"{beside[odd[0]] / len(y):.4g} on average: no forecasts that add up can be right for "
            "both. Make the series of all nodes with `hierarchy.add_up`, or give what is between "
            "them, such as losses, as one more part.",
            ForecastWarning,
            stacklevel=3,
        )


def _joined(paths: Array, past: Array) -> Array:
    """Return paths (R, N, S) in an order in which those of one number belong together."""
    means = paths.mean(0)  # (N, S)
    normal = np.random.default_rng(0).standard_normal((len(past), means.shape[1]))
    ranks = (past.T @ normal).argsort(1).argsort(1)  # as correlated as the errors
    order = np.take_along_axis(means.argsort(1), ranks, 1)
    return np.take_along_axis(paths, order[None], 2)


def _pandas(forecasts: Any, hierarchy: Hierarchy) -> Any:
    """Return forecasts as pandas has them: a column "total_q0.1" has names of two levels."""
    table = pandas_table(forecasts, ["unique_id", "model"], hierarchy.time_col)
    if table is forecasts or "unique_id" in table or table.columns.isin(hierarchy.nodes).all():
        return table
    return table.set_axis(pd.MultiIndex.from_tuples(
        [tuple(str(name).rpartition("_")[::2]) for name in table]), axis=1)  # fmt: skip


def _read(forecasts: Any, hierarchy: Hierarchy) -> _Block:
    if not isinstance(forecasts, pd.DataFrame):
        raise TypeError(
            "`forecasts` must be a forecast table, a long or a wide frame of all nodes, got "
            f"{short(forecasts)}."
        )
    block = (_read_long if "unique_id" in forecasts else _read_wide)(forecasts, hierarchy)
    if {"lower", "upper"} & set(block.labels):
        raise ValueError(
            "`forecasts` must hold quantiles by their levels, got 'lower' and 'upper'. Ask "
            "predict_quantiles(levels=[0.05, 0.5, 0.95])."
        )
    lacking = np.argwhere(~np.isfinite(block.values))
    if len(lacking):
        node = hierarchy.nodes[lacking[0, 1]]
        raise ValueError(
            "`forecasts` must have a finite number for every node and step, got none for "
            f"{short(node)}. Forecast the frame that `hierarchy.add_up` returns."
        )
    return block


def _read_long(frame: pd.DataFrame, hierarchy: Hierarchy) -> _Block:
    labels = [name for name in frame if name not in _KEYS and (name != "y" or "y_hat" not in frame)]
    moments = [name for name in _KEYS[1:] if name in frame]
    row = frame.groupby(moments, sort=False).ngroup().to_numpy()
    node = _places(pd.Index(frame["unique_id"]), hierarchy)
    values = np.full((row.max() + 1, len(hierarchy.nodes), len(labels)), np.nan)
    values[row, node] = frame[labels]
    names = [name for name in ("model", "cutoff") if name in frame]
    first = frame.iloc[np.unique(row, return_index=True)[1]].reset_index(drop=True)
    origins: list[Any] = [(None, None, slice(None))]
    if names:
        groups = first.groupby(names, sort=False).indices
        origins = [(*_origin(names, key), rows) for key, rows in groups.items()]

    def restore(values: Array, method: str) -> pd.DataFrame:
        new = {str(label): values[row, node, k] for k, label in enumerate(labels)}
        if "model" in frame:
            new["model"] = frame["model"].astype(str) + f", {method}"
        return frame.assign(**new)

    return _Block(values, labels, origins, restore)


def _origin(names: list[str], key: Any) -> tuple[Any, Any]:
    """Return model and cutoff of a group, None where the frame does not tell."""
    told = dict(zip(names, key if isinstance(key, tuple) else (key,), strict=True))
    return told.get("model"), told.get("cutoff")


def _read_wide(frame: pd.DataFrame, hierarchy: Hierarchy) -> _Block:
    several = frame.columns.nlevels > 1
    labels = list(frame.columns.get_level_values(-1).unique()) if several else [""]
    _places(frame.columns.get_level_values(0), hierarchy)
    columns = hierarchy.nodes
    if several:
        columns = pd.MultiIndex.from_product([hierarchy.nodes, labels])
    values = frame.reindex(columns=columns).to_numpy(np.float64)

    def restore(values: Array, method: str) -> pd.DataFrame:
        whole = pd.DataFrame(values.reshape(len(frame), -1), frame.index, columns)
        return whole.reindex(columns=frame.columns)

    shaped = values.reshape(len(frame), len(hierarchy.nodes), len(labels))
    return _Block(shaped, labels, [(None, None, slice(None))], restore)


def _places(ids: pd.Index, hierarchy: Hierarchy) -> np.ndarray:
    """Return the number of the node of every entry."""
    places = hierarchy.nodes.get_indexer(ids)
    if (places < 0).any():
        raise ValueError(
            f"`forecasts` must be of the nodes of the hierarchy, got {short(ids[places < 0][0])}. "
            "Forecast the frame that `hierarchy.add_up` returns."
        )
    return places
