"""Sequences on the command line: a table of labelled units to learn from, answers for others."""

from __future__ import annotations

import warnings
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
import typer
from sklearn.base import is_classifier

from forecast._checks import ForecastWarning, short
from forecast.cli.options import Reading, columns
from forecast.cli.screen import working
from forecast.data.files import read_covariates, read_file
from forecast.sequences.base import SequenceEstimator


def of_sequences(model: Any) -> TypeGuard[SequenceEstimator]:
    """Tell whether a model answers for sequences rather than continuing them."""
    return isinstance(model, SequenceEstimator)


def fitted_to_units(model: SequenceEstimator, data: str, how: Reading) -> SequenceEstimator:
    """Fit an estimator to a file with a row per unit and time, its features and its label.

    Raises
    ------
    typer.BadParameter
        If nobody said which column holds the labels.
    ValueError
        If no column names the units, or their labels are not as they must be.
    """
    if how.target_col is None:
        raise typer.BadParameter(
            "say which column holds the labels to learn.", param_hint="--target-col"
        )
    with warnings.catch_warnings():
        # that only the label is read here is no news: the features are read next
        warnings.simplefilter("ignore", ForecastWarning)
        ids = columns(how.id_col)
        labels: Any = read_file(data, id_col=ids, target_col=how.target_col, **how.form)
    if labels.index.nlevels != 2:
        raise ValueError(
            f"one column must name the units, got {labels.index.nlevels - 1} in {data!r}. Name "
            "it with id_col."
        )
    features = read_covariates(how.X or data, labels, **how.form)
    id_col, time_col = (str(name) for name in labels.index.names)
    model.set_params(id_col=id_col, time_col=time_col)
    y = _labels(labels.reindex(features.index), each_step=model.each_step)
    with working(f"fitting {type(model).__name__}"):
        return model.fit(features.reset_index(), y)


def _labels(rows: pd.Series, *, each_step: bool) -> pd.Series:
    """Return a label per row, or the one of every unit, which its rows may repeat."""
    if isinstance(rows.dtype, pd.CategoricalDtype):
        rows = rows.astype(object)
    elif (rows.dropna() % 1 == 0).all():
        rows = rows.astype("Int64").astype(object).where(rows.notna(), np.nan)
    if each_step:
        return rows.reset_index(drop=True)
    given = rows.dropna().groupby(level=0)
    several = given.nunique()
    if (several > 1).any():
        raise ValueError(
            f"each unit must have one label, got {several.max()} for {several.idxmax()!r}. For "
            "labels at every step: --set each_step=true."
        )
    return given.first()


def answered(model: Any, data: str | None, how: Reading) -> pd.DataFrame:
    """Return a row for each unit of a file, or with `each_step` for each of its rows.

    The column `predicted` holds the answer; those of a classifier named p_ and a label hold how
    probable that is.

    Raises
    ------
    typer.BadParameter
        If there is no file.
    ValueError
        If the file lacks a feature, or the model was not fitted to a table.
    """
    if data is None:
        raise typer.BadParameter("give the file of the units to answer for.", param_hint="DATA")
    known = getattr(model, "feature_names_in_", None)
    if known is None:
        raise ValueError(
            f"the model must have been fitted to a table whose columns have names, got "
            f"{short(model)} of arrays. In Python, forecast.load reads it."
        )
    empty = pd.MultiIndex.from_arrays([[], []], names=[model.id_col, model.time_col])
    features = read_covariates(how.X or data, pd.DataFrame(index=empty), **how.form)
    features = features[[name for name in features if name in known]].reset_index()
    answers = [pd.Series(model.predict(features)).rename("predicted")]
    if is_classifier(model):
        answers.append(model.predict_proba(features).add_prefix("p_"))
    keys = [model.id_col, model.time_col]
    table = pd.concat([features[keys], *answers] if model.each_step else answers, axis=1)
    return table if model.each_step else table.rename_axis(model.id_col).reset_index()
