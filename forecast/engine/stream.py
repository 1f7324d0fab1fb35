"""Live states: read a history once, then absorb each new value in constant cost.

The network reads a patch of P values per recurrent step, but a forecast may be asked for after any
value, and its last patch must end there. So a series is read in P phases: one whose patches end at
values P, 2 P, ..., and those shifted by one value each. A stream keeps the state of each, oldest
first. A new value completes the patch of the oldest, which then is the newest: one call of the
cell, and no counter of values that could go wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, cast

import torch
from torch import Tensor

from forecast.engine.batches import Windows
from forecast.engine.model import Model
from forecast.engine.reader import Memory, Reader
from forecast.engine.scale import Scale
from forecast.networks.base import State, leaves, pick, stack, state_map, where

# Steps of the network in one call, of all series together, whose features take up to 2 kB each; but
# no fewer than some of each, else calls cost more than steps, and no more than are any faster.
STEPS_AT_ONCE, FEWEST, MOST = 2**13, 64, 256


class Stream(NamedTuple):
    """What a fitted network remembers of B series.

    `phases` holds the network's states, oldest first; the last belongs to `features` and is the
    one to forecast from. Nothing in a stream is ever written to.
    """

    memory: Memory  # what the reader knows
    static: Tensor  # (B, A) static features
    features: Tensor  # (B, D) after the newest value
    phases: tuple[State, ...]  # P states, the newest alone, or none if one block is all
    scale: Scale | tuple[()] = ()  # (B, 1) each, of the newest value, if an update has told it

    @property
    def state(self) -> State:
        """The network's state after the newest value, () if it was not kept."""
        return self.phases[-1] if self.phases else ()


def begin(
    model: Model,
    batch_size: int,
    dtype: torch.dtype = torch.float32,
    static: Tensor | None = None,
) -> Stream:
    """Return the stream of series without any value yet."""
    static = torch.empty(batch_size, 0) if static is None else static
    states = (model.network.state_of(static),) * model.reader.patch
    features = leaves(states)[0].new_zeros(batch_size, model.network.width)
    memory = model.reader.initial_state(batch_size, dtype)
    return Stream(memory, static, features, states)


def absorb(
    model: Model, values: Tensor, stream: Stream, drivers: Tensor | None = None
) -> tuple[Tensor, Stream]:
    """Absorb values (B, T), and their covariates (B, T, C), into a stream of P phases.

    Returns the features (B, T, D) at every step too. All phases are rows of one batch, except for
    the T mod P steps that come first, and for a value alone.
    """
    P = model.reader.patch
    B, T = values.shape
    lead = T % P if T > 1 else 1
    if drivers is None:
        drivers = stream.memory.drivers.new_full((B, T, model.reader.n_drivers), torch.nan)
    features = []
    for t in range(lead):
        now = slice(t, t + 1)
        stream = step(model, values[:, now], stream, drivers[:, now])
        features.append(stream.features[:, None])
    if T > lead:
        inputs, memory = model.reader.show(values[:, lead:], stream.memory, drivers[:, lead:])
        # step k of phase p is step k P + p of the series: (B, T, F) -> (P B, T / P, F)
        inputs = inputs.unflatten(1, (-1, P)).permute(2, 0, 1, 3).flatten(0, 1)
        read, states = model.network.absorb(inputs, stack(stream.phases))
        phases = tuple(pick(states, slice(p * B, (p + 1) * B)) for p in range(P))
        features.append(read.unflatten(0, (P, B)).permute(1, 2, 0, 3).flatten(1, 2))
        stream = Stream(memory, stream.static, features[-1][:, -1], phases)
    return torch.cat(features, 1), stream


def step(model: Model, value: Tensor, stream: Stream, drivers: Tensor) -> Stream:
    """Absorb one value (B, 1), and its covariates (B, 1, C), by one call of the cell."""
    inputs, memory, scale = model.reader.show_one(value, stream.memory, drivers)
    newest, state = model.network.advance(inputs[:, 0], stream.phases[0])
    return Stream(memory, stream.static, newest, (*stream.phases[1:], state), scale)


def encode(model: Model, windows: Windows, series: Tensor, ends: Tensor) -> Stream:
    """Read the history of B series up to local positions `ends`, in their newest phase alone.

    A history whose length is no multiple of P begins with a shorter patch.
    """
    pieces = shown(model, windows, series, ends)
    memory = windows.read(series, ends, 0, ends, model.reader)
    return read(model, pieces, memory, windows.static[series])


def shown(
    model: Model,
    windows: Windows,
    series: Tensor,
    ends: Tensor,
    max_steps: int | None = None,
    fewest: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what the network is shown of histories: inputs (B, T, F), how many are left (B,).

    Histories end at local positions `ends`. At most `max_steps` patches are read, from the newest
    back; a history of less than the `fewest` begins with some that show nothing. What is left of a
    row may be more than T, or nothing; what stands behind its end is not to be read.
    """
    reader, reach = model.reader, model.network.reach
    P, M = reader.patch, reader.n_values
    n_steps = ((ends + P - 1) // P).clamp(min=fewest)
    limits = [limit for limit in (max_steps, reach) if limit is not None]
    n_steps = n_steps.clamp(max=min(limits)) if limits else n_steps
    first = ends - n_steps * P
    # a long history at once would take many times its own memory
    at_once = min(max(STEPS_AT_ONCE // len(series), FEWEST), MOST)
    for done in range(0, max(int(n_steps.max()), 1), at_once):
        left = (n_steps - done).clamp(0, at_once)
        T = max(int(left.max()), 1)
        past = windows.read(series, first + done * P, T * P, ends, reader)
        yield reader.inputs(past, range(M + P - 1, M + T * P, P)), left


def read(
    model: Model, pieces: Iterable[tuple[Tensor, Tensor]], memory: Memory, static: Tensor
) -> Stream:
    """Return the stream, of its newest phase alone, of histories that are `shown` in pieces."""
    network, B = model.network, len(static)
    state = network.state_of(static)
    newest = memory.values.new_zeros(B, network.width).to(model.reader.dtype)
    for inputs, left in pieces:
        T = inputs.shape[1]
        lengths = None if bool((left == T).all()) else left.clamp(min=1)
        features, after = network.absorb(inputs, state, lengths)
        seen = left > 0
        state = where(seen, after, state)
        end = features[torch.arange(B), left.clamp(min=1) - 1]
        newest = torch.where(seen[:, None], end, newest)
    return Stream(memory, static, newest, (state,))


def encode_phases(model: Model, windows: Windows, series: Tensor, ends: Tensor) -> Stream:
    """Read the history of B series in all P phases, so that values can be absorbed after it.

    The phases are rows of one batch: those that end P - 1, P - 2, ... 0 values before `ends`.
    """
    P, B = model.reader.patch, len(series)
    back = torch.arange(P - 1, -1, -1, device=ends.device)[:, None]
    rows = series.repeat(P)
    every = encode(model, windows, rows, (ends - back).clamp(min=0).flatten())
    phases = tuple(pick(every.phases[0], slice(p * B, (p + 1) * B)) for p in range(P))
    return pick(every, slice(-B, None))._replace(phases=phases)


def encode_all(model: Model, windows: Windows, *, phases: bool = False) -> Stream:
    """Return the streams of all series, each read to its end; with `phases`, in every phase.

    Series are read some at a time, and their rows copied into tensors made at once. Kept, the small
    tensors of each part would lie among the large ones that reading needs and gives back, and
    memory would grow with every part.
    """
    ends, n = windows.lengths, windows.n_series
    longest = min(int(ends.max()) // model.reader.patch + 1, FEWEST)
    together = STEPS_AT_ONCE // longest  # series read at once
    read, whole = encode_phases if phases else encode, None
    for first in range(0, n, together):
        rows = torch.arange(first, min(first + together, n), device=windows.device)
        with torch.inference_mode():
            part = read(model, windows, rows, ends[rows])
        if whole is None:
            whole = state_map(lambda some: some.new_empty(n, *some.shape[1:]), part)
        for into, some in zip(leaves(whole), leaves(part), strict=True):
            into[first : first + together] = some
    return cast(Stream, whole)


def pack(live: Stream, reader: Reader) -> State:
    """Return a stream as saved files hold it: its memory is one table and the covariates."""
    return (reader.pack(live.memory), live.memory.drivers), *live[1:-1]


def unpack(packed: State, reader: Reader) -> Stream:
    """Return the stream that `pack` was given."""
    memory, *others = packed
    return Stream(reader.unpack(*memory), *others)
