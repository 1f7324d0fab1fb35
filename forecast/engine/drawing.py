"""Random windows of a panel, for training: drawn batch by batch, read several batches at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from forecast.engine.batches import Batch, Windows
from forecast.engine.folds import in_training
from forecast.engine.reader import Memory, Reader

BEGIN = 0.5  # share of windows at the beginning of a series, where that is to be learned
LOST = 0.1  # share of the values that a window loses, if it loses some
# Small batches are read together, because reading them is calls more than arithmetic: so many that
# about so many numbers are shown to a network at once.
NUMBERS_AT_ONCE, MOST = 2**18, 8


class Gaps(NamedTuple):
    """What windows lose: of the table of a reader's memory, and of covariates; all where true."""

    values: Tensor  # (B, N), as `Reader.pack` returns it
    drivers: Tensor  # (B, 1, C)


class Drawn(NamedTuple):
    """Which B windows make a batch."""

    series: Tensor  # (B,)
    first: Tensor  # (B,) positions in them
    fresh: Tensor  # (B,) False where a window goes on from the same row of the batch before
    origins: range
    gaps: Gaps | None
    takeover: int | None


class Draw:
    """Draw random windows for ever, every series equally often.

    A window begins up to P - 1 steps before its series, because the first patch of a forecast may
    be short, too. Where series without values have a scale, half of the windows begin a patch
    before one.

    Parameters
    ----------
    windows : Windows
    batch_size : int
    ends : Tensor (n,)
        Values past them are unobserved.
    n_steps : int
        Patches of a window.
    reader : Reader
    generator : torch.Generator
    pieces : int
        With several a row of the batch holds consecutive windows of one series in so many batches,
        fewer if the series ends. Then it goes on elsewhere, with a `fresh` window.
    every : int
        Only each `every`-th step of a window is an origin, from a random one on.
    mask_fraction : float
        Share of the windows that lose a tenth of their values, so that the network learns to
        forecast with gaps; those of the summary of older values too, but not their mean. As many
        lose the past-only covariates: beyond the first block of a rollout they are unknown.
    takes_over : bool
        Whether a decoder takes over after a random step of each batch.
    blocks : Tensor (E, 2), optional
        Where the values begin and end that do not teach each member of the model.
    """

    def __init__(
        self,
        windows: Windows,
        batch_size: int,
        ends: Tensor,
        *,
        n_steps: int,
        reader: Reader,
        generator: torch.Generator,
        pieces: int = 1,
        every: int = 1,
        mask_fraction: float = 0.0,
        takes_over: bool = False,
        blocks: Tensor | None = None,
    ) -> None:
        self.windows, self.batch_size, self.ends = windows, batch_size, ends.cpu()
        self.n_steps, self.reader, self.generator = n_steps, reader, generator
        self.pieces, self.every = pieces, every
        self.mask_fraction, self.takes_over = mask_fraction, takes_over
        self.blocks = blocks

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches; they are the same, however many are read at once."""
        drawn = self._drawn()
        numbers = self.batch_size * self.n_steps * self.reader.input_size
        at_once = max(min(NUMBERS_AT_ONCE // numbers, MOST), 1)
        device = self.windows.device
        while True:
            some = list(islice(drawn, at_once))
            series = torch.cat([one.series for one in some])
            gaps = [one.gaps for one in some if one.gaps is not None]
            first = torch.cat([one.first for one in some]).to(device)
            whole = self.windows.batch(
                series.to(device),
                first,
                self.ends[series].to(device),
                n_steps=self.n_steps,
                reader=self.reader,
                lose=partial(lose, gaps=gaps, reader=self.reader),
            )
            if self.blocks is not None:
                sizes = self.n_steps, self.reader.patch, self.reader.block
                whole = whole._replace(in_training=in_training(self.blocks, first, *sizes))
            for k, one in enumerate(some):
                rows = whole.rows(slice(k * self.batch_size, (k + 1) * self.batch_size))
                own = rows.at(one.origins)
                yield own._replace(fresh=one.fresh.to(device), takeover=one.takeover)

    def _drawn(self) -> Iterator[Drawn]:
        P, length = self.reader.patch, self.n_steps * self.reader.patch
        series, first = self._places()
        fresh = torch.ones(self.batch_size, dtype=torch.bool)
        done = torch.zeros_like(series)
        if self.pieces > 1:
            # rows begin in the middle, else a batch would see the same part of each
            windows = ((self.ends[series] - P - first) / length).ceil().clamp(1, self.pieces)
            done = (torch.rand(self.batch_size, generator=self.generator) * windows).long()
        while True:
            begun = first + done * length
            yield Drawn(series, begun, fresh, self._origins(), self._gaps(), self._takeover())
            done = done + 1
            fresh = (done == self.pieces) | (begun + length + P >= self.ends[series])
            if fresh.any():
                others = self._places()
                series = torch.where(fresh, others[0], series)
                first = torch.where(fresh, others[1], first)
                done = done.masked_fill(fresh, 0)

    def _places(self) -> tuple[Tensor, Tensor]:
        """Draw a series, (B,), and a place in it where its windows begin, (B,)."""
        n, own, P = self.batch_size, self.generator, self.reader.patch
        series = torch.randint(self.windows.n_series, (n,), generator=own)
        width = self.pieces * self.n_steps * P
        latest = (self.ends[series] - width - 1).clamp(min=0)  # one target at least, if possible
        share = torch.rand(n, generator=own, dtype=torch.float64)
        anywhere = (share * (latest + P)).long() - (P - 1)
        if self.reader.prior is None:
            return series, anywhere
        begins = torch.rand(n, generator=own) < BEGIN
        back = (share * P).long() - (2 * P - 1)  # a patch before the first value at least
        return series, torch.where(begins, back, anywhere)

    def _origins(self) -> range:
        if self.every == 1:
            return range(self.n_steps)
        begin = int(torch.randint(self.every, (), generator=self.generator))
        return range(begin, self.n_steps, self.every)

    def _gaps(self) -> Gaps | None:
        if not self.mask_fraction:
            return None
        width = self.n_steps * self.reader.patch
        return draw_gaps(self.batch_size, width, self.mask_fraction, self.reader, self.generator)

    def _takeover(self) -> int | None:
        if not self.takes_over:
            return None
        return int(torch.randint(self.n_steps - 1, (), generator=self.generator))


def draw_gaps(
    n: int, width: int, fraction: float, reader: Reader, generator: torch.Generator
) -> Gaps:
    """Draw what a fraction of n windows of so many values loses."""
    numbers = reader.n_older + reader.n_values + width
    rows = torch.rand(n, 1, generator=generator) < fraction
    values = rows & (torch.rand(n, numbers, generator=generator) < LOST)
    drivers = torch.zeros(n, 1, reader.n_drivers, dtype=torch.bool)
    if reader.n_past:
        rows = torch.rand(n, 1, 1, generator=generator) < fraction
        drivers = rows & (torch.arange(reader.n_drivers) >= reader.n_known)
    return Gaps(values, drivers)


def lose(past: Memory, gaps: Sequence[Gaps], reader: Reader) -> Memory:
    """Return a memory with the gaps of its rows, in turn, if there are any.

    The mean of what came before its values stays known.
    """
    if not gaps:
        return past
    values, drivers = (torch.cat(parts).to(past.values.device) for parts in zip(*gaps, strict=True))
    table = reader.pack(past).masked_fill(values, torch.nan)
    kept = reader.unpack(table, past.drivers.masked_fill(drivers, torch.nan))
    return kept._replace(mean=past.mean, n_observed=past.n_observed)
