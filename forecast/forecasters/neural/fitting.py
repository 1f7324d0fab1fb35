"""Train a model on the windows of a panel, with a progress bar; warn if it went badly."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from forecast.data.panel import Panel
from forecast.engine import gradients, states, training
from forecast.engine.batches import Batch, Windows, seasonal_changes
from forecast.engine.drawing import Draw
from forecast.engine.model import Model, residual_unit
from forecast.engine.shrinkage import convex_weights, naive_share
from forecast.engine.validation import Validation, sizes, usual_correlation
from forecast.forecasters.calibration import (
    CLAIMED,
    Calibration,
    growth_of,
    own_widths,
    step_sizes,
    wider,
)
from forecast.forecasters.neural.recipe import Recipe
from forecast.networks.base import Network

# An error of so many spreads is no forecast; a part of fewer horizons says little of any.
DIVERGED, FEW = 100.0, 3
# From so many independent errors in training on, the widths of a head count more than the size of
# held-out errors.
HALF_TRUST = 60.0
GROWS_LIKE_WALK = 8.0  # independent errors for which the growth of a walk's counts
LEAST = 0.05  # what would change less than this is left as it is
MASKED = 0.1  # share of the training windows that lose some of their values


def error_scales(
    panel: Panel, held_out: np.ndarray, season_length: int, spreads: np.ndarray
) -> np.ndarray:
    """Return the error scale of each series, (n,): its mean absolute seasonal change."""
    scales = seasonal_changes(panel, held_out, season_length)
    return np.where(scales > 0, scales, spreads)


def train(
    model: Model,
    recipe: Recipe,
    windows: Windows,
    judge: Validation | None,
    settings: training.Settings,
    generator: torch.Generator,
    *,
    ends: Tensor,
    pieces: int,
    name: str | None,
    keep: Callable[[Model, pd.DataFrame], None] | None,
) -> tuple[pd.DataFrame, Batch]:
    """Train a model in place; with a `name`, show a progress bar of that name.

    Parameters
    ----------
    judge
        What stops training; None, if nothing does.
    ends
        Where the values to learn from end, per series.
    pieces
        Consecutive training windows through which the state passes.
    keep
        Called with the best weights so far and the epochs up to them, whenever there are new ones.

    Returns
    -------
    tuple
        One row per epoch, and one more batch.
    """
    batches = iter(
        Draw(
            windows,
            recipe.batch_size,
            ends,
            n_steps=recipe.n_steps,
            reader=model.reader,
            generator=generator,
            pieces=pieces,
            every=recipe.every,
            mask_fraction=MASKED,
            takes_over=model.network.hands_over,
            blocks=judge.blocks if judge else None,
        )
    )
    stops = settings.n_iter_no_change is not None
    validate = judge.loss if judge and stops else lambda model: math.nan
    rows: list[dict[str, Any]] = []
    on_best = None if keep is None else lambda best: keep(best, pd.DataFrame(rows))
    epochs: Iterable[training.Epoch] = training.train(
        model, batches, validate, settings, on_best=on_best
    )
    if name is not None:
        epochs = shown(epochs, name, settings.max_epochs)
    for epoch in epochs:
        rows.append(dataclasses.asdict(epoch))
    return pd.DataFrame(rows), next(batches)


@torch.no_grad()
def calibrate(model: Model, judge: Validation, *, by_series: bool) -> Calibration | None:
    """Let the held-out errors tell how wide bands and paths are.

    Where they are few, Student's t makes bands wider, and less is believed of errors that would
    make them narrower. The errors of the best naive forecast of all the past tell how the steps of
    a path belong together, and how many errors are independent: fewest of a walk. Where few values
    taught the head its widths, a factor of them mends nothing: a network that knows its few windows
    by heart claims hardly any. There the size of the held-out errors counts as much. It leans on
    naive errors, to which a line through the past belongs: the last value errs sqrt(2) times as
    much as a process around a line does.

    Returns
    -------
    Calibration or None
        If asked for `by_series`, how wide the bands of each series are beside, where these differ.
    """
    shrink(model, judge)
    naive, usual, known = judge.naive_errors(model)
    params, z, typical = judge.calibrate(model, usual_correlation(naive, known))
    if few := judge.independent_if(usual_growth(naive, known)):
        factor, widening = model.noise_factor, float(wider(few + 1))
        size = torch.linalg.vector_norm(factor, dim=1, keepdim=True)  # (R, 1)
        factor.mul_(widening * size.clamp(max=1) ** (few / (few + CLAIMED) - 1))
        unit = residual_unit(typical)[:, None]
        missed = ((z - model.head.quantile(params, 0.5)) / unit).numpy(force=True)
        size_of_step = step_sizes(missed, sizes(usual).numpy(force=True), few)
        per_score = widening / torch.linalg.vector_norm(factor, dim=1)
        model.residual_size.copy_(torch.as_tensor(size_of_step).to(factor) * per_score)
        model.own_share.fill_(network_trust(judge))
    # of whole numbers many are forecast just right, which tells nothing of the width
    if not by_series or model.support.counts:
        return None
    low, median, high = model.quantiles(params, (0.1, 0.5, 0.9), typical).unbind(-1)
    misses = (z - median) / torch.where(z < median, median - low, high - median)
    series = judge.series.numpy(force=True)
    return own_widths(misses.numpy(force=True), series, len(judge.held_out), judge.independent)


def shrink(model: Model, judge: Validation) -> None:
    """Let points lean on a mixture of naive forecasts, as far as few values taught the network.

    Not where the user's covariates tell of the future: naive forecasts do not know them.
    """
    most = 1 - network_trust(judge)
    if most < LEAST or model.reader.n_drivers:
        return
    weights = convex_weights(judge.template_errors(model).flatten(0, 1))[:-1]
    model.lean(weights, 0.0)
    model.lean(weights, most * naive_share(*judge.shrinkage(model), judge.independent))


def network_trust(judge: Validation) -> float:
    """Return how much the network counts, from 0 to 1, by its effective training sample size."""
    return judge.training_size**2 / (judge.training_size**2 + HALF_TRUST**2)


def usual_growth(errors: Tensor, independent: float) -> float:
    """Return b of the size j^b of errors (N, R) at step j, which leans on that of a random walk.

    Examples
    --------
    >>> alike = torch.randn(200, 12, generator=torch.Generator().manual_seed(0))
    >>> round(usual_growth(alike, 12.0), 2), usual_growth(alike, 0.0)
    (0.21, 0.5)
    """
    trust = independent / (independent + GROWS_LIKE_WALK)
    return 0.5 + trust * (growth_of(errors.numpy(force=True)[None]) - 0.5)


def gradient_trouble(
    model: Model, batch: Batch, norms: Sequence[float], clip_norm: float | None, *, asked: bool
) -> Iterator[str]:
    """Say that gradients exploded, or vanish in windows as long as the user `asked` for.

    In windows of the recipe's length vanishing gradients are no fault of the user's.
    """
    network = states.exact(cast(Network, model.network.members[0]))
    text = gradients.exploded(norms, clip_norm)
    if text is None and asked and states.width(network):
        inputs = batch.inputs.cpu().double()
        network, inputs = states.recurrence(network, inputs, batch.static.cpu())
        text = gradients.vanished(gradients.backward_norms(network, inputs), model.reader.patch)
    if text is not None:
        yield text


def naive_is_better(error: float, naive: float, horizons: float, name: str) -> Iterator[str]:
    """Say that a naive forecast errs less on the validation part, both in spreads.

    It was wrong in two of five cases where the part was as long as one or two horizons: then it is
    not said.

    Raises
    ------
    FloatingPointError
        If the error is beyond all measure.
    """
    if error > DIVERGED * max(1.0, naive):
        raise FloatingPointError(
            f"On the validation part the trained {name} errs by {error:.3g} spreads, a naive "
            f"forecast by {naive:.3g}: the updates diverged. Lower `learning_rate`."
        )
    if horizons >= FEW and error > naive + 1e-3:  # a constant is no reason to warn
        yield (
            f"On the validation part, {horizons:.0f} horizons in all, the trained {name} errs by "
            f"{error:.3f} spreads, a naive forecast by {naive:.3f}: NaiveForecaster may serve you "
            "better here."
        )


def shown(epochs: Iterable[Any], name: str, total: int) -> Iterator[Any]:
    """Yield epochs while a bar on the screen tells how far training is."""
    from rich.console import Console
    from rich.progress import Progress

    # What a program prints may go into a file: progress is for the screen.
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total)
        for epoch in epochs:
            text = f"{name}, validation {epoch.validation_loss:.3f}"
            bar.update(task, advance=1, description=text)
            yield epoch
