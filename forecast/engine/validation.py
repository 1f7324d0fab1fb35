"""Judge a model by rollouts over the held-out last part of time."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from forecast.engine.batches import Windows
from forecast.engine.dependence import noise_factor, pairs, step_ratios
from forecast.engine.model import Model, residual_unit
from forecast.engine.reader import ReaderOutput
from forecast.engine.rollout import first_block, greedy, rollout
from forecast.engine.stream import read, shown
from forecast.networks.heads.base import NORMAL

MAX_ORIGINS = 512  # judged per epoch: about the cost of a few training steps
CONTEXT = 64  # patches read before each origin, at least
LINE = 512  # values, at most, that a line is drawn through
LIKE_WALK = 1.0  # independent errors for which the dependence of a random walk counts
QUARTILE = NORMAL.inv_cdf(0.75)  # the median of absolute values of a standard normal variable


class Validation:
    """Rolling origins over the part of each series that training does not see.

    Parameters
    ----------
    model : Model
        What its network is shown, the same whatever its weights, is kept from the first epoch on.
        Errors are divided by its reader's spread at their origin; if it has a prior, by that.
    windows : Windows
        Whole series, the held-out part included.
    held_out : Tensor (n,)
        Local position where the held-out part of each series begins.
    horizon : int
        Steps per rollout; those past the end of a series do not count.
    season_length : int
        Of the seasonal naive forecast.
    context : int
        Patches to read before each origin, if more than `CONTEXT`.

    Attributes
    ----------
    naive_loss : float
        Loss of the best of the naive, seasonal naive and drift forecasts.
    held_out : Tensor (n,)
        As given.
    horizons : float
        How many of them the held-out parts of all series hold.
    apart : float
        Steps from one origin of a series to the next.
    independent : float
        How many errors of a step are independent, on average over the steps, were they a walk's.
    training_size : float
        The same of errors on the values before it: the effective sample size of training.
    ends : Tensor (n,)
        Where the values to learn from end.
    blocks : Tensor (E, 2) or None
        Where those before begin and end that do not teach each member; None: all values do.
    """

    blocks: Tensor | None = None

    def __init__(
        self,
        model: Model,
        windows: Windows,
        held_out: Tensor,
        horizon: int,
        season_length: int,
        context: int = 0,
    ) -> None:
        self.windows, self.season_length = windows, season_length
        reader, held_out = model.reader, held_out.to(windows.device)
        self.series, self.origins = spread_origins(held_out, windows.lengths, MAX_ORIGINS)
        self.known = windows.known(self.series, self.origins, horizon)
        self.targets, self.weights = self._ahead(horizon)
        self.held_out, held = held_out, windows.lengths - held_out
        self.ends = held_out
        self.horizons = held.sum().item() / horizon
        told = held[self.series.unique()].sum().item()
        self.apart = told / len(self.origins)
        self.independent = self.independent_if(0.5)
        learned = _observed(windows, held_out.tolist())
        self.training_size = learned * sum(1 / step for step in range(1, horizon + 1)) / horizon
        memory = windows.read(self.series, self.origins, 0, self.origins, reader)
        self.spread = reader.newest(memory).scale.spread
        if reader.prior is not None:  # the same at all origins, so that the first ones count
            self.spread = torch.full_like(self.spread, reader.prior[1])
        # who forecasts before the first value has learned to do so from a patch that shows nothing
        limit, fewest = max(context, CONTEXT), int(reader.prior is not None)
        pieces = list(shown(model, windows, self.series, self.origins, limit, fewest))
        self.shown = pieces, memory, windows.static[self.series]
        naive = naive_forecasts(windows, self.series, self.origins, horizon, season_length)
        errors = [self._error(forecast) for forecast in naive]
        self.naive_loss = min((error for error in errors if error == error), default=math.nan)

    def loss(self, model: Model) -> float:
        """Return the mean absolute error of greedy rollouts, in spreads at the origin."""
        with torch.inference_mode():
            live = read(model, *self.shown)
            return self._error(rollout(model, live, self.known, greedy(model)))

    def calibrate(self, model: Model, usual: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """Learn from the residuals of the held-out part what training cannot teach.

        First the buffers of the head, then how wide the distribution should have been and how the
        steps of a block depend on each other (`noise_factor`), which is measured with the former,
        and leans on the mean correlation of two steps that is `usual`.
        Returns the parameters (N, R, n_params) and the scaled targets (N, R) of one block after
        each origin, NaN where nothing was observed, and the typical spreads (N,).
        """
        with torch.no_grad():
            reading, params, z = self._first_block(model)
            observed_mask = ~z.isnan()
            model.head.calibrate(params, z, observed_mask)
            scores = model.head.normal_score(params, model.head.jitter(params, z.nan_to_num(0.0)))
            model.noise_factor.copy_(noise_factor(scores, observed_mask, self.independent, usual))
        return params, z, reading.typical_spread

    def shrinkage(self, model: Model) -> tuple[Tensor, Tensor]:
        """Return errors of one block, and how far away the naive forecast was, both (N, R).

        They are in residual units; errors are NaN where nothing was observed.
        """
        with torch.no_grad():
            reading, params, z = self._first_block(model)
            unit = residual_unit(reading.typical_spread)[:, None]
            away = model.naive(reading) - params[..., 0]
            return (z - model.head.quantile(params, 0.5)) / unit, away / unit

    def _first_block(self, model: Model) -> tuple[ReaderOutput, Tensor, Tensor]:
        """Return what each origin read, the parameters of its block and the scaled targets."""
        block = model.reader.block
        known = self.windows.known(self.series, self.origins, block)
        reading, params = first_block(model, read(model, *self.shown), known)
        targets = _counted(*self._ahead(block))
        return reading, params, reading.scale.apply(targets[:, None])[:, 0].to(params)

    def independent_if(self, growth: float) -> float:
        """Return how many errors of a step are independent if those of step j grow as j^growth."""
        return independent(_counted(self.targets, self.weights), self.apart, growth)

    def naive_errors(self, model: Model) -> tuple[Tensor, Tensor, float]:
        """Return errors (N, R) of the best naive forecast of all the past, in residual units.

        Then those of a line through what came before, if they are smaller. NaN where nothing was
        observed. And how many of a step are independent.
        """
        windows, block = self.windows, model.reader.block
        series, origins, targets, reading, unit = self._all_past(model)
        forecasts = naive_forecasts(windows, series, origins, block, self.season_length)
        best = _smallest([(targets - each) / unit for each in forecasts])
        line = (targets - line_forecast(windows, series, origins, block)) / unit
        first = windows.lengths.clamp(max=model.reader.scale_window)
        told = (windows.lengths - first)[series.unique()].sum().item()
        return best, _smallest([best, line]), independent(best, told / len(origins))

    def template_errors(self, model: Model) -> Tensor:
        """Return errors (N, R, J + 1) of the templates, and of the level, in all the past.

        They are in residual units, NaN where nothing was observed.
        """
        _, _, targets, reading, unit = self._all_past(model)
        z = reading.scale.apply(targets[:, None])[:, 0, :, None]
        templates = torch.nn.functional.pad(reading.templates, (0, 1))  # the level is zero
        return (z - templates) * (reading.scale.spread / unit)[..., None]

    def _all_past(self, model: Model) -> tuple[Tensor, Tensor, Tensor, ReaderOutput, Tensor]:
        """Return series, origins, what came after (N, R), readings, and units of errors (N, 1).

        The origins are spread evenly over all the past that tells a scale.
        """
        windows, reader = self.windows, model.reader
        first = windows.lengths.clamp(max=reader.scale_window)
        series, origins = spread_origins(first, windows.lengths, MAX_ORIGINS)
        targets = windows.take(series, origins, reader.block, windows.lengths[series])
        reading = reader.newest(windows.read(series, origins, 0, origins, reader))
        unit = reading.scale.spread * residual_unit(reading.typical_spread)[:, None]
        return series, origins, targets, reading, unit

    def _ahead(self, steps: int) -> tuple[Tensor, Tensor | None]:
        """Return the values after the origins (N, H) and their weights; None: all count alike.

        They do so, too, where all of them weigh nothing: something must judge.
        """
        asked = self.series, self.origins, steps, self.windows.lengths[self.series]
        targets, weights = self.windows.take(*asked), self.windows.counted(*asked)
        if weights is not None and not weights[~targets.isnan()].any():
            weights = None
        return targets, weights

    def _error(self, forecast: Tensor) -> float:
        error = (forecast - self.targets).abs() / self.spread
        if self.weights is None:
            return error.nanmean().item()
        return ((error * self.weights).nansum() / (self.weights * ~error.isnan()).sum()).item()


def sizes(errors: Tensor) -> Tensor:
    """Return how large errors (N, R) are at each step, (R,).

    The size is that of a normal distribution with the same median error, which a spread of few
    values does not move.
    """
    return errors.abs().nanmedian(0).values / QUARTILE


def _smallest(errors: list[Tensor]) -> Tensor:
    return min(errors, key=lambda error: sizes(error).nanmean().nan_to_num(math.inf).item())


def usual_correlation(errors: Tensor, independent: float) -> float:
    """Return the correlation of errors (N, R) at two steps, on average over all pairs of steps.

    It leans on that of a random walk by as much as `LIKE_WALK` independent errors.

    Examples
    --------
    >>> independent_steps = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    >>> round(usual_correlation(independent_steps, 1.0), 2)
    0.36
    >>> round(usual_correlation(independent_steps, 0.0), 2)
    0.7
    """
    walk = pairs(step_ratios(errors.shape[1])).sqrt().mean().nan_to_num(0.0).item()
    scores = (errors / sizes(errors)).clamp(-5, 5).double()
    there, scores = (~scores.isnan()).double(), scores.nan_to_num(0.0)
    square = scores.square().T @ there  # of each step, where the other was observed, too
    own = pairs(scores.T @ scores).sum() / pairs(square + square.T).sum() * 2
    trust = independent / (independent + LIKE_WALK) if own.isfinite() else 0.0
    return walk + trust * (own.nan_to_num(0.0).item() - walk)


def _counted(targets: Tensor, weights: Tensor | None) -> Tensor:
    """Return the targets without those of weight 0."""
    return targets if weights is None else targets.masked_fill(weights == 0, torch.nan)


def _observed(windows: Windows, ends: list[int]) -> int:
    """Return how many values before `ends`, a local position per series, are there and count."""
    found = 0
    for first, end in zip(windows.panel.offsets[:-1].tolist(), ends, strict=True):
        rows = slice(first, first + end)
        there = ~windows.values[rows].isnan()
        if windows.weights is not None:
            there &= windows.weights[rows] > 0
        found += int(there.sum())
    return found


def independent(targets: Tensor, apart: float, growth: float = 0.5) -> float:
    """Return how many errors of a step are independent, on average over the steps.

    Step j of origins nearer than j shares what happened: of a random walk, whose errors grow as
    j^(1/2), it is new at every j-th only; where errors do not grow, later ones forget earlier ones
    and each is new.

    Parameters
    ----------
    targets : Tensor (N, H)
        What came after each origin, NaN where nothing was observed.
    apart : float
        Steps from one origin of a series to the next.
    growth : float
        b, if errors are j^b times as large at step j: then every j^(2b)-th is new, j at most.

    Examples
    --------
    >>> independent(torch.zeros(12, 1), 1.0), independent(torch.zeros(12, 2), 1.0)
    (12.0, 9.0)
    >>> independent(torch.zeros(12, 2), 1.0, growth=0.0)
    12.0
    """
    count = (~targets.isnan()).sum(0)  # (H,)
    shared = (torch.arange(1, len(count) + 1, device=count.device) / apart).clamp(min=1)
    shared = shared ** min(2 * growth, 1.0)
    return ((count / shared).sum() / (count > 0).sum().clamp(min=1)).item()


def spread_origins(held_out: Tensor, lengths: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Return (series, origin) pairs, at most `most`, spread evenly over the held-out steps.

    An origin is the number of values seen: from `held_out`, which alone has a whole horizon ahead
    where the held-out part is one horizon long, to one before the end. Series without a held-out
    part are left out.
    """
    steps = (lengths - held_out).clamp(min=1)  # (n,)
    chosen = torch.arange(len(lengths), device=lengths.device)
    # if no series has a held-out part, the origins are the ends: every target is then missing
    if (held_out < lengths).any():
        chosen = chosen[held_out < lengths]
    if len(chosen) > most:
        chosen = chosen[torch.linspace(0, len(chosen) - 1, most, device=lengths.device).long()]
    each = max(most // len(chosen), 1)
    share = torch.arange(each, device=lengths.device) / each
    ahead = (share * steps[chosen][:, None]).long()  # (n, each)
    pairs = torch.stack([chosen[:, None].expand_as(ahead), held_out[chosen][:, None] + ahead], -1)
    series, origins = pairs.flatten(0, 1).unique(dim=0).unbind(-1)
    return series, origins


def naive_forecasts(
    windows: Windows, series: Tensor, origins: Tensor, horizon: int, season_length: int
) -> list[Tensor]:
    """Return last value, last season and drift forecasts, (N, H) each; missing values are NaN."""
    ahead = torch.arange(1, horizon + 1, device=origins.device)
    first = windows.take(series, torch.zeros_like(origins), 1, origins)
    last = windows.take(series, origins - 1, 1, origins)
    season = windows.take(series, origins - season_length, season_length, origins)
    slope = (last - first) / (origins - 1).clamp(min=1)[:, None]
    return [
        last.expand(-1, horizon),
        season[:, (ahead - 1) % season_length],
        last + slope * ahead,
    ]


def line_forecast(windows: Windows, series: Tensor, origins: Tensor, horizon: int) -> Tensor:
    """Return least squares lines through the newest `LINE` values, (N, H); NaN where none is."""
    size = min(LINE, int(origins.max()))
    past = windows.take(series, origins - size, size, origins)
    seen, steps = ~past.isnan(), torch.arange(1 - size, 1, device=past.device).to(past)
    count = seen.sum(1, keepdim=True)
    middle = (seen * steps).sum(1, keepdim=True) / count
    level = past.nansum(1, keepdim=True) / count
    away = seen * (steps - middle)
    slope = (away * (past - level).nan_to_num(0.0)).sum(1, keepdim=True)
    slope = slope / away.square().sum(1, keepdim=True)
    return level + slope * (torch.arange(1, horizon + 1).to(past) - middle)
