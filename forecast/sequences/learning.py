"""Fit a model to sequences: split off whole units, train on the others, judge by those."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from forecast.data.spreads import spread_or_one
from forecast.engine import training
from forecast.networks.ensemble import Ensemble
from forecast.networks.recurrent import Recurrent
from forecast.sequences.batches import Units
from forecast.sequences.model import Head, Reader, SequenceModel
from forecast.sequences.reading import Array

SMALL = 32_000  # numbers of a layer and batch: one thread is faster


def held_out(
    n_units: int, fraction: float, seed: int, classes: Array | None = None
) -> tuple[Tensor, Tensor]:
    """Split units into those to learn from and those to judge by; none if they are too few.

    Each part has its share of the `classes` (n,), if each of these has two units and either part
    has room for all.

    Examples
    --------
    >>> [part.tolist() for part in held_out(5, 0.2, seed=0)]
    [[0, 1, 3, 4], [2]]
    >>> classes = np.array([0, 0, 1, 1, 2, 2])
    >>> [len(set(classes[part])) for part in held_out(6, 0.5, seed=0, classes=classes)]
    [3, 3]
    >>> [len(part) for part in held_out(6, 0.9, seed=0, classes=classes)]
    [1, 5]
    """
    units = np.arange(n_units)
    n_judged = int(fraction * n_units)
    if not n_judged:
        return torch.as_tensor(units), torch.as_tensor(units[:0])
    # it takes a fifth of a second, and the command line asks whether any model is one of these
    from sklearn.model_selection import train_test_split

    counts = np.unique([] if classes is None else classes, return_counts=True)[1]
    smaller = min(n_judged, n_units - n_judged)
    shared = len(counts) and counts.min() > 1 and len(counts) <= smaller
    learned, judged = train_test_split(
        units, test_size=n_judged, random_state=seed, stratify=classes if shared else None
    )
    return torch.as_tensor(np.sort(learned)), torch.as_tensor(np.sort(judged))


def reader_of(values: Array) -> Reader:
    """Return a reader that has the scale of values (N, F), and a mask if some are missing.

    Examples
    --------
    >>> reader = reader_of(np.array([[1.0, 5.0], [3.0, np.nan]]))
    >>> reader(torch.tensor([[[3.0, 5.0]]], dtype=torch.float64)).tolist()
    [[[1.0, 0.0, 1.0, 1.0]]]
    """
    table = pd.DataFrame(values)
    mean = table.mean().fillna(0.0).to_numpy(copy=True)
    deviation = table.std(ddof=0).fillna(0.0).to_numpy()
    spread = spread_or_one(deviation, mean, len(table))
    masked = bool(np.isnan(values).any())
    return Reader(torch.from_numpy(mean), torch.from_numpy(spread), masked=masked)


def build(estimator: Any, reader: Reader, head: Head) -> SequenceModel:
    """Return the untrained model of an estimator's parameters."""
    networks = (
        Recurrent(
            reader.input_size,
            estimator.hidden_size,
            cell=estimator.cell,
            num_layers=estimator.num_layers,
            dropout=estimator.dropout,
        )
        for _ in range(estimator.n_estimators)
    )
    return SequenceModel(reader, Ensemble(networks), head)


def train(
    estimator: Any, model: SequenceModel, units: Units, learned: Tensor, judged: Tensor, seed: int
) -> pd.DataFrame:
    """Train a model in place, then hold it in double precision; return a row per epoch."""
    stops = estimator.early_stopping and len(judged)
    settings = training.Settings(
        learning_rate=estimator.learning_rate,
        max_epochs=estimator.max_epochs,
        n_iter_no_change=estimator.n_iter_no_change if stops else None,
        weight_decay=estimator.weight_decay,
        clip_norm=estimator.clip_norm,
    )
    generator = torch.Generator().manual_seed(seed)
    learned, judged = (part.to(units.values.device) for part in (learned, judged))
    batches = units.draw(learned, estimator.batch_size, estimator.truncation, generator)
    longest = int(units.lengths.max()) if estimator.truncation is None else estimator.truncation
    with training.one_thread(estimator.batch_size * longest * estimator.hidden_size < SMALL):
        judge = partial(loss_over, units=units, chosen=judged)
        epochs = training.train(model, batches, judge, settings)
        history = pd.DataFrame([dataclasses.asdict(epoch) for epoch in epochs])
    model.double()
    return history


@torch.no_grad()
def loss_over(model: SequenceModel, units: Units, chosen: Tensor) -> float:
    """Return the mean loss over whole units; NaN if there are none."""
    total, count = 0.0, 0.0
    for _, batch in units.all(chosen):
        loss, asked, _ = model.losses(batch)
        total += float((loss.mean(2, keepdim=True) * asked).sum())
        count += float(asked.sum())
    return total / count if count else math.nan
