"""The causal scale of a value: level and spread of what came before it, and what else is a mean."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Scale(NamedTuple):
    """Level and spread of the last W observed values up to a step, in target units.

    `seen` tells how many values were observed. All three have one shape, (B, T).
    """

    level: Tensor
    spread: Tensor
    seen: Tensor

    def apply(self, values: Tensor) -> Tensor:
        """Return (values - level) / spread; values have trailing axes more than the scale."""
        axes = (...,) + (None,) * (values.dim() - self.level.dim())
        return (values - self.level[axes]) / self.spread[axes]

    def invert(self, z: Tensor) -> Tensor:
        """Return level + spread * z, in the precision of the scale."""
        axes = (...,) + (None,) * (z.dim() - self.level.dim())
        return self.level[axes] + self.spread[axes] * z.to(self.level)


def drift(before: Scale, scale: Scale) -> Tensor:
    """Return how the scale moved, (B, T, 2): change of level in spreads, log ratio of spreads."""
    moved = torch.stack(
        [(scale.level - before.level) / scale.spread, (scale.spread / before.spread).log()], -1
    )
    # Zero at a first patch, which has nothing before it. Clamped, because a jump out of a flat
    # stretch may be a million spreads, and one such input ruins a step of training.
    return moved.clamp(-8, 8) * (before.seen > 0)[..., None]


def at_steps(values: Tensor, steps: range) -> Tensor:
    """Return the columns of values (B, N, ...) at steps that rise, (B, T, ...): a view.

    Examples
    --------
    >>> at_steps(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), range(1, 4, 2))
    tensor([[2., 4.]])
    """
    return values[:, steps.start : steps.stop : steps.step]


def shifted(steps: range, by: int) -> range:
    """Return steps that lie so much later.

    Examples
    --------
    >>> shifted(range(1, 4, 2), 10)
    range(11, 14, 2)
    """
    return range(steps.start + by, steps.stop + by, steps.step)


def columns(steps: range, device: torch.device) -> Tensor:
    """Return steps as an index, (T,)."""
    return torch.arange(steps.start, steps.stop, steps.step, device=device)


def windows_at(values: Tensor, steps: range, width: int) -> Tensor:
    """Return the last `width` of values (B, N) at each step, (B, T, width).

    Examples
    --------
    >>> windows_at(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), range(1, 4, 2), 2)
    tensor([[[1., 2.],
             [3., 4.]]])
    """
    first = slice(steps.start + 1 - width, steps.stop + 1 - width, steps.step)
    return values.unfold(1, width, 1)[:, first].contiguous()


def scale_at(
    values: Tensor,
    steps: range,
    width: int,
    fallback: Tensor | None = None,
    prior: tuple[float, float] | None = None,
) -> Scale:
    """Return level and spread of the last `width` values up to chosen columns, (B, T) each.

    `values` (B, N) have at least `width` columns up to the first of T `steps`. A window without
    any observed value has the last one observed before it as its level. A spread of zero is
    replaced by `fallback` (B, 1); if that is zero or NaN, by the size of the level, or by 1.
    With a `prior`, level and spread, the columns before the first value count as so many values
    of that mean and standard deviation.
    """
    level, variance, count = _moments(values, steps, width)
    if prior is not None:
        level, variance = _with_prior(values, steps, width, Scale(level, variance, count), *prior)
    flat = variance.sqrt() <= 64 * torch.finfo(values.dtype).eps * level.abs()
    size = torch.where(level == 0, 1.0, level.abs())
    if fallback is not None:
        size = torch.where(fallback > 0, fallback, size)
    # The inner `where` keeps zeros from the root, whose slope there is infinite: the gradient would
    # be NaN even though the outer `where` takes nothing from it.
    return Scale(level, torch.where(flat, size, torch.where(flat, 1.0, variance).sqrt()), count)


def _moments(values: Tensor, steps: range, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, variance and number of observed values in each window, (B, T) each."""
    # Windows are gathered rather than summed cumulatively: the differences of cumulative sums lose
    # digits at high levels, and would depend on where the window of a batch begins.
    window = windows_at(values, steps, width)  # (B, T, W)
    missing = window.isnan()
    # a traced graph has no branches that depend on values
    traced = torch.compiler.is_compiling()
    if not traced and not missing.any():  # most often in a stream
        level = window.mean(-1)
        variance = (window - level[..., None]).square().mean(-1)
        return level, variance, torch.full_like(level, width)
    observed_mask = ~missing
    count = observed_mask.sum(-1).to(values)
    present = count.clamp(min=1)
    level = torch.where(observed_mask, window, 0.0).sum(-1) / present
    # deviations first: squares of raw values would cancel at high levels
    deviation = torch.where(observed_mask, window - level[..., None], 0.0)
    variance = deviation.square().sum(-1) / present
    if traced or (count == 0).any():
        before = at_steps(forward_fill(values).nan_to_num(0.0), steps)
        level = torch.where(count > 0, level, before)
    return level, variance, count


def _with_prior(
    values: Tensor, steps: range, width: int, own: Scale, mean: float, spread: float
) -> tuple[Tensor, Tensor]:
    """Return level and variance, (B, T) each; of `own`, too, the second part is a variance.

    The pooled moments of n values and k of the prior, which as many new ones will replace.
    """
    first = (~values.isnan()).cumsum(1).eq(0).sum(1, keepdim=True)  # (B, 1)
    k = (first - columns(shifted(steps, 1 - width), values.device)).clamp(0, width)  # (B, T)
    share = k / (k + own.seen).clamp(min=1)
    level = own.level + share * (mean - own.level)
    within = (1 - share) * own.spread + share * spread**2
    between = (1 - share) * (own.level - level) ** 2 + share * (mean - level) ** 2
    return level, within + between


def change_at(values: Tensor, steps: range, width: int) -> Tensor:
    """Return how much the mean of the newer half of the last `width` values is higher, (B, T).

    The windows end at chosen columns. If each half holds whole seasons, these cancel. Zero where a
    quarter of a half is missing.

    Examples
    --------
    >>> change_at(torch.tensor([[0.0, 1.0, 4.0, 5.0]]), range(3, 4), 4)
    tensor([[4.]])
    """
    halves = windows_at(values, steps, width).unflatten(2, (2, -1))  # (B, T, 2, width / 2)
    count = (~halves.isnan()).sum(-1)
    old, new = (halves.nansum(-1) / count.clamp(min=1)).unbind(2)
    return torch.where(count.amin(2) > 0.375 * width, new - old, 0.0)


def mean_so_far(mean: Tensor, count: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and number of all observed values up to each column, (B, T) each.

    `mean` and `count` (B,) are those of what came before the first column; NaN is nothing.

    Examples
    --------
    >>> values = torch.tensor([[1.0, torch.nan, 7.0]])
    >>> mean_so_far(torch.tensor([4.0]), torch.tensor([2.0]), values)
    (tensor([[3., 3., 4.]]), tensor([[3., 3., 4.]]))
    """
    mean, count = mean.nan_to_num(0.0)[:, None], count.nan_to_num(0.0)[:, None]
    seen = ~values.isnan()
    count = count + seen.cumsum(1)
    away = torch.where(seen, values - mean, 0.0).cumsum(1)  # sums of raw values would cancel
    return mean + away / count.clamp(min=1), count


def newest_observed(before: Tensor, values: Tensor) -> Tensor:
    """Return the last observed one of values (B, N) that came after others, (B,).

    Examples
    --------
    >>> newest_observed(torch.tensor([1.0, 1.0]), torch.tensor([[torch.nan], [2.0]]))
    tensor([1., 2.])
    """
    if values.shape[1] == 1:  # a stream
        return torch.where(values[:, 0].isnan(), before, values[:, 0])
    return forward_fill(torch.cat([before[:, None], values], 1))[:, -1]


def forward_fill(values: Tensor) -> Tensor:
    """Replace unobserved values by the last observed one, (B, T); NaN before the first.

    Examples
    --------
    >>> forward_fill(torch.tensor([[torch.nan, 2.0, torch.nan, 5.0]]))
    tensor([[nan, 2., 2., 5.]])
    """
    columns = torch.arange(values.shape[1], device=values.device)
    last = torch.where(values.isnan(), 0, columns).cummax(1).values
    return values.gather(1, last)
